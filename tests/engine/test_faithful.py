"""The stand-in on the embedded engine against recordings of a real FlyteAdmin."""

import secrets
import statistics
from pathlib import Path

import pytest
import wf
from faithful_facts import facts

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve
from pytest_flyteperf.stack import Stack

RECORDINGS = Path(__file__).parents[1] / "data/recordings"
WORKFLOWS = sorted(p.name for p in RECORDINGS.iterdir() if p.is_dir())
QUICK = [name for name in WORKFLOWS if name not in ("launchplan2", "cached_chain")]
EXACT = ("workflow_events", "node_events", "pods", "attempts")
RANGED = ("rounds", "crd_writes")
REPEATS = 10

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def stack():
    root = Path(__file__).parents[2]
    settings = resolve({"wait": 600}, {}, lambda _key: None, root)
    return Stack(settings, silent)


@pytest.fixture(scope="module")
def deployment(stack):
    with stack.cluster("tests") as cluster, stack.deployment(cluster) as deployment:
        yield deployment


@pytest.fixture
def execute(stack, deployment, tmp_path):
    """Run a recorded workflow; returns the folders of its recordings."""

    def run(name, *, repeats=1, inputs=None):
        phase = "FAILED" if name == "failing" else "SUCCEEDED"
        spec = CaseSpec(
            name=name, entity=getattr(wf, name), inputs=inputs or {}, expected_phase=phase
        )
        finished = run_case(
            spec,
            deployment,
            RunPlan(warmups=0, repeats=repeats, timeout_s=180, seed=secrets.randbits(32)),
            out_dir=tmp_path,
            progress=silent,
            lock=stack.machine_lock("tests"),
            control=stack.control,
        )
        return [Path(repeat.recording) for repeat in finished]

    return run


def recorded(name, metric):
    """Values of a metric in the recordings of a workflow."""
    folders = sorted((RECORDINGS / name).iterdir())
    return [analyze_recording(folder).metrics[metric] for folder in folders]


@pytest.mark.parametrize("name", QUICK)
def test_rows_and_events_are_those_of_flyteadmin(execute, name):
    (folder,) = execute(name)

    assert facts(RECORDINGS / name / "0") == facts(folder)
    measured = analyze_recording(folder).metrics
    assert {m: {measured[m]} for m in EXACT} == {m: set(recorded(name, m)) for m in EXACT}


def test_a_cold_cache_is_filled_and_a_warm_one_hit(execute):
    miss, hit = execute("cached_chain", repeats=2, inputs={"a": secrets.randbelow(1 << 40)})

    for index, folder in enumerate((miss, hit)):
        before = RECORDINGS / "cached_chain" / str(index)
        assert facts(before) == facts(folder)
        expected, measured = analyze_recording(before).metrics, analyze_recording(folder).metrics
        assert {m: measured[m] for m in EXACT} == {m: expected[m] for m in EXACT}


@pytest.mark.slow
def test_launch_plans_start_the_same_executions(execute):
    (folder,) = execute("launchplan2")

    assert facts(RECORDINGS / "launchplan2/0") == facts(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_rounds_and_writes_are_as_many(execute, name, record_property):
    folders = execute(name, repeats=REPEATS)
    for metric in RANGED:
        expected = statistics.mean(recorded(name, metric))
        found = statistics.median(analyze_recording(f).metrics[metric] for f in folders)
        record_property(metric, f"recorded {expected:g}, median of {REPEATS} {found:g}")

        assert abs(found - expected) <= max(2, 0.15 * expected)
