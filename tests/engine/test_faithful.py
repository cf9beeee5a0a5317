"""The stand-in on the embedded engine against recordings of a real FlyteAdmin."""

import logging
import secrets
import statistics
from pathlib import Path

import pytest
import wf
from faithful_facts import facts

from pytest_flyteperf.analyze import analyze_recording

RECORDINGS = Path(__file__).parents[1] / "data/recordings"
WORKFLOWS = sorted(p.name for p in RECORDINGS.iterdir() if p.is_dir())
QUICK = [name for name in WORKFLOWS if name not in ("launchplan2", "cached_chain")]
EXACT = ("workflow_events", "node_events", "pods", "attempts")
RANGED = ("rounds", "crd_writes")
REPEATS = 10

log = logging.getLogger(__name__)
pytestmark = pytest.mark.engine


@pytest.fixture
def again(execute):
    """Run a recorded workflow once more."""

    def run(name, **spec):
        phase = "FAILED" if name == "failing" else "SUCCEEDED"
        return execute(name, getattr(wf, name), expected_phase=phase, **spec)

    return run


def recorded(name, metric):
    """Values of a metric in the recordings of a workflow."""
    folders = sorted((RECORDINGS / name).iterdir())
    return [analyze_recording(folder).metrics[metric] for folder in folders]


@pytest.mark.parametrize("name", QUICK)
def test_rows_and_events_are_those_of_flyteadmin(again, name):
    (folder,) = again(name)

    assert facts(RECORDINGS / name / "0") == facts(folder)
    measured = analyze_recording(folder).metrics
    assert {m: {measured[m]} for m in EXACT} == {m: set(recorded(name, m)) for m in EXACT}


def test_a_cold_cache_is_filled_and_a_warm_one_hit(again):
    miss, hit = again("cached_chain", repeats=2, inputs={"a": secrets.randbelow(1 << 40)})

    for index, folder in enumerate((miss, hit)):
        before = RECORDINGS / "cached_chain" / str(index)
        assert facts(before) == facts(folder)
        expected, measured = analyze_recording(before).metrics, analyze_recording(folder).metrics
        assert {m: measured[m] for m in EXACT} == {m: expected[m] for m in EXACT}


@pytest.mark.slow
def test_launch_plans_start_the_same_executions(again):
    (folder,) = again("launchplan2")

    assert facts(RECORDINGS / "launchplan2/0") == facts(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_rounds_and_writes_are_as_many(again, name):
    folders = again(name, repeats=REPEATS)
    figures = {}
    for metric in RANGED:
        expected = statistics.mean(recorded(name, metric))
        found = statistics.median(analyze_recording(f).metrics[metric] for f in folders)
        figures[metric] = (expected, found)
        log.info("%s %s: recorded %g, median of %d %g", name, metric, expected, REPEATS, found)

    far = {m: pair for m, pair in figures.items() if abs(pair[1] - pair[0]) > _allowed(pair[0])}
    assert far == {}


def _allowed(recorded_mean):
    """How far a median of repeats may lie from the recorded mean."""
    return max(2, 0.15 * recorded_mean)
