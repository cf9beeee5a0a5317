"""One case measured on one Flyte: how many repeats it takes, and what is kept of them."""

from contextlib import nullcontext
from types import SimpleNamespace

import msgspec
import pytest

from pytest_flyteperf import measurement, result
from pytest_flyteperf.benchmark import Call
from pytest_flyteperf.errors import ExecutionError
from pytest_flyteperf.forecast import Forecast
from pytest_flyteperf.gate import BaselineStore
from pytest_flyteperf.measurement import Measurement, Site
from pytest_flyteperf.model import Finding, Severity
from pytest_flyteperf.settings import resolve
from tests.doubles.runs import Run
from tests.gate.gate_examples import HERE, RELEASE, accepted, noisy, repeats

LOST = Finding(check="lost spans", severity=Severity.INVALID, evidence="3 are missing")
CALL = Call(workflow=None, inputs={}, phase="SUCCEEDED", units=None)


class Screen:
    def __call__(self, message, /): ...

    def clear(self): ...


class Failing(Run):
    """Fails in its third repeat."""

    def __iter__(self):
        for repeat in super().__iter__():
            yield repeat
            if repeat.index == 1:
                raise ExecutionError("chain: execution f3 ended FAILED")


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A measurement whose repeats have so many rounds; the first `invalid` ones are."""

    def make(rounds, *, invalid=0, run=Run, baseline=None, **flags):
        store = BaselineStore(tmp_path / "baselines")
        if baseline is not None:
            store.put(baseline)
        flags = {"baseline": baseline is not None or None, "warmups": "0", **flags}
        site = Site(
            settings=resolve(flags, {}, lambda _: None, tmp_path),
            stack=SimpleNamespace(control=None, machine_lock=lambda _: nullcontext()),
            base=None,
            store=store,
            folder=tmp_path / "run",
            screen=Screen(),
            forecast=Forecast({}, {}),
        )
        left = iter(repeats(rounds=rounds))
        spoilt = iter([(LOST,)] * invalid)

        def analyze(_):
            return msgspec.structs.replace(next(left), findings=next(spoilt, ()))

        monkeypatch.setattr(measurement, "analyze_recording", analyze)
        monkeypatch.setattr(
            measurement,
            "run_case",
            lambda spec, _, plan, out_dir, **_more: run(spec, plan, out_dir),
        )
        item = SimpleNamespace(
            name="test_chain",
            nodeid="test_it.py::test_chain",
            iter_markers=lambda _: (),
            session=SimpleNamespace(items=[]),
        )
        return Measurement(site, item, SimpleNamespace(subject=RELEASE, environment=HERE))

    return make


def kept(one):
    return result.load(result.save(one.result))


def test_a_case_takes_the_repeats_of_its_plan(measured):
    one = measured([7] * 9, repeats="4")

    assert one(CALL).outputs == Run.outputs
    assert len(kept(one).repeats) == 4
    assert kept(one).digest == Run.digest


def test_invalid_repeats_are_replaced_while_there_are_spare_ones(measured):
    few = measured([7] * 9, repeats="8", invalid=1)
    few(CALL)
    many = measured([7] * 20, repeats="8", invalid=5)
    many(CALL)

    assert (len(few.result.repeats), few.result.invalid) == (9, 1)
    assert (len(many.result.repeats), many.result.invalid) == (10, 5)


def test_what_was_measured_is_kept_when_an_execution_fails(measured, tmp_path):
    one = measured([7] * 9, repeats="4", run=Failing)

    with pytest.raises(ExecutionError, match="f3 ended FAILED"):
        one(CALL)

    stored = result.load(tmp_path / "run" / "chain" / "case.json")
    assert [m.repeat.index for m in stored.repeats] == [0, 1]
    assert stored.verdict is None


def test_a_case_whose_verdict_is_open_takes_more_repeats_and_a_clear_one_does_not(measured):
    sessions = [{"rounds": noisy(seed, 10, middle=500)} for seed in range(4)]
    now = noisy(99, 20, middle=500)
    given = {"baseline": accepted(sessions, digest=Run.digest), "gate": "rounds"}

    open_one = measured([round(1.1 * count) for count in now], **given)
    open_one(CALL)
    clear_one = measured([2 * count for count in now], **given)
    clear_one(CALL)

    assert len(open_one.result.repeats) > 10
    assert len(clear_one.result.repeats) == 10


def test_repeats_of_a_sweep_add_up_size_by_size(measured):
    one = measured([7] * 9, repeats="3")

    for units in (2, 4):
        one(CALL._replace(units=units))

    assert [m.units for m in kept(one).repeats] == [2] * 3 + [4] * 3


def test_each_repeat_is_on_disk_before_the_next_begins(measured, tmp_path):
    there = []

    class Watched(Run):
        def __iter__(self):
            for repeat in super().__iter__():
                there.append(len(result.load(tmp_path / "run" / "chain" / "case.json").repeats))
                yield repeat

    measured([7] * 9, repeats="3", run=Watched)(CALL)

    assert there == [0, 1, 2]
