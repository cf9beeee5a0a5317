"""The order of blocks, and when a comparison ends."""

from dataclasses import dataclass, field

import msgspec
import pytest

from pytest_flyteperf import turns
from pytest_flyteperf.execute import CaseSpec
from pytest_flyteperf.model import Finding, RunPlan, Severity
from pytest_flyteperf.turns import Side, Stage, Turns, groups
from tests.doubles.runs import Run
from tests.gate.gate_examples import repeats

PLAN = RunPlan(warmups=1, repeats=5, timeout_s=60, seed=7)
SPEC = CaseSpec(name="chain", entity=None)


def order(seed, blocks=8):
    return ["".join(block.side[0] for block in group) for group in groups(seed, "chain", blocks)]


def test_blocks_come_as_abba_or_baab():
    drawn = {four for seed in range(20) for four in order(seed)}

    assert drawn == {"bhhb", "hbbh"}


def test_the_same_seed_gives_the_same_order():
    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(20)}) > 1


@pytest.mark.parametrize("blocks", [4, 6, 8])
def test_either_side_gets_as_many_blocks_as_allowed(blocks):
    run = [block for group in groups(1, "chain", blocks) for block in group]

    assert [block.number for block in run] == list(range(2 * blocks))
    for side in Side:
        assert [block.pair for block in run if block.side is side] == list(range(blocks))


@dataclass
class Fake:
    """Runs that are over at once; tells in which order Flytes were started and repeats run."""

    started: list = field(default_factory=list)
    seeds: list = field(default_factory=list)
    folders: list = field(default_factory=list)
    held: int = 0
    invalid: int = 0
    """How many repeats from the first on are invalid."""

    def stage(self, folder):
        def start(side):
            assert self.held
            self.started.append(side)
            return side

        return Stage(
            start=start,
            folder=folder,
            progress=lambda _: None,
            lock=self.lock(),
            control=None,
        )

    def lock(self):
        fake = self

        class Lock:
            def __enter__(self):
                assert not fake.held, "the machine's lock is taken by whoever holds it"
                fake.held += 1

            def __exit__(self, *_):
                fake.held -= 1

        return Lock()

    def run_case(self, spec, deployment, plan, *, out_dir, lock, **_):
        with lock:
            self.seeds.append((deployment, plan.seed))
        self.folders.append(out_dir.name)
        return Run(spec, plan, out_dir)


@pytest.fixture
def fake(monkeypatch):
    fake = Fake()
    (measures,) = repeats(handle_ns=[1])
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="x")

    def analyze(_folder):
        if not fake.invalid:
            return measures
        fake.invalid -= 1
        return msgspec.structs.replace(measures, findings=(lost,))

    monkeypatch.setattr(turns, "run_case", fake.run_case)
    monkeypatch.setattr(turns, "analyze_recording", analyze)
    return fake


def run(fake, folder, *, blocks=8, decided=lambda: False):
    taken = Turns(SPEC, PLAN, fake.stage(folder), blocks, decided)
    return taken, list(taken)


def test_each_block_starts_its_flyte_and_discards_a_warm_up(fake, tmp_path):
    taken, finished = run(fake, tmp_path, blocks=4)

    assert [f.block.side for f in finished[::6]] == fake.started
    assert [f.measured.repeat.warmup for f in finished[:6]] == [True, *[False] * 5]
    assert len(finished) == 8 * 6
    assert fake.folders == [f"{i:02}-{side}" for i, side in enumerate(fake.started)]
    assert taken.outputs == 3
    assert not fake.held


def test_both_sides_of_a_pair_have_the_same_phases(fake, tmp_path):
    run(fake, tmp_path, blocks=4)

    for side in Side:
        assert [seed for started, seed in fake.seeds if started is side] == [7, 8, 9, 10]


@pytest.mark.parametrize(("needed", "blocks"), [(0, 4), (1, 6), (2, 8), (9, 8)])
def test_it_ends_when_the_answer_is_there_and_never_before_four_blocks(
    fake, tmp_path, needed, blocks
):
    looks = iter([False] * needed + [True] * 9)
    run(fake, tmp_path, decided=lambda: next(looks))

    assert len(fake.started) == 2 * blocks


def test_an_invalid_repeat_of_a_block_is_replaced_once(fake, tmp_path):
    fake.invalid = 3
    _, finished = run(fake, tmp_path, blocks=4)

    first = [f for f in finished if f.block.number == 0 and not f.measured.repeat.warmup]
    assert len(first) == 6
