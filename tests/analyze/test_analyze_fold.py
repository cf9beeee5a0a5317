"""Propeller's log in the RFC's hierarchy."""

import gzip

import pytest

from pytest_flyteperf.analyze import fold_file, fold_recording, render
from pytest_flyteperf.analyze.fold import fold_log
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.errors import RecordingError


def test_a_log_folds_into_handles_rounds_and_changes(recordings):
    """The worked example of a single task: Queued, Running, Succeeding, each in its round."""
    text = list(render(fold_recording(recordings / "single/1")))

    assert text[0] == "Timestamp   Line    Duration    Hierarchical Log Layout"
    layout = [line.split(maxsplit=3)[3] for line in text[1:]]
    assert layout[:10] == [
        "1 Workflow",
        "1.1 Processing",
        "1.1.1 StreakRound(Ready)",
        "1.1.2 StreakRound(Running)",
        "1.1.2.1 UpdateNodePhase(start-node,NotYetStarted,Succeeded)",
        "1.1.3 StreakRound(Running)",
        "1.1.3.1 UpdateNodePhase(n0,NotYetStarted,Queued)",
        "1.1.4 StreakRound(Running)",
        "1.1.4.1 UpdateNodePhase(n0,Queued,Running)",
        "1.1.5 StreakRound(Running)",
    ]


@pytest.mark.parametrize("name", ["chain/0", "cached_chain/0", "fan/0", "nested_dynamic/1"])
def test_handles_and_rounds_have_their_spans_durations(recordings, name):
    folded = fold_recording(recordings / name)

    timed = [row for row in folded.rows if row.layout.startswith(("Processing", "StreakRound"))]
    assert timed
    assert all(row.from_spans and row.duration_ns for row in timed)


def test_without_spans_durations_are_the_stamps_whole_seconds(recordings):
    recording = Recording(recordings / "chain/0")
    folded = fold_log(recording.log(), recording.execution.id.name)

    assert {row.duration_ns % 10**9 for row in folded.rows if row.duration_ns is not None} == {0}
    assert not any(row.from_spans for row in folded.rows)
    assert folded.rows[0].duration_ns in {5 * 10**9, 6 * 10**9}


def test_other_executions_lines_are_left_out(recordings):
    """`launchplan2` has three executions in one log; an id is compared whole."""
    log = recordings / "launchplan2/0/propeller.log.gz"

    child = fold_file(log, "fvtfy3z3zm2pc3")
    parent = fold_file(log, "abgtt6nknn2f5n6hksv9")

    assert {row.line for row in child.rows[1:]}.isdisjoint(row.line for row in parent.rows[1:])
    assert fold_file(log, "fvtfy3z3zm2pc").rows == ()


def test_cache_lines_are_leaves(recordings):
    layouts = [row.layout for row in fold_recording(recordings / "cached_chain/0").rows]

    assert layouts.count("CacheMiss(n0)") == 1
    assert layouts.count("CacheWrite(n4)") == 1


def test_enqueues_are_shown_when_asked_for(recordings):
    plain = fold_recording(recordings / "chain/0").rows
    shown = fold_recording(recordings / "chain/0", enqueues=True).rows

    assert not any(row.layout == "EnqueueWorkflow" for row in plain)
    assert sum(row.layout == "EnqueueWorkflow" for row in shown) == len(shown) - len(plain) > 0


def test_foreign_and_truncated_lines_are_skipped_and_counted(recordings, tmp_path):
    lines = gzip.decompress((recordings / "chain/0/propeller.log.gz").read_bytes()).splitlines()
    noisy = [b"panic: not JSON", b"[1, 2]", *lines, lines[-1][:30]]
    (tmp_path / "noisy.log").write_bytes(b"\n\n".join(noisy))

    clean = fold_recording(recordings / "chain/0")
    folded = fold_file(tmp_path / "noisy.log", "a7vj8jp5gzbdchprm6fk")

    assert (clean.skipped, folded.skipped) == (0, 3)
    assert [row.layout for row in folded.rows] == [row.layout for row in clean.rows]


def test_an_execution_that_the_log_does_not_have_has_no_rows(recordings):
    folded = fold_file(recordings / "chain/0/propeller.log.gz", "nobody")

    assert list(render(folded)) == ["Timestamp   Line    Duration    Hierarchical Log Layout"]


def test_a_log_that_is_absent_is_named(tmp_path, copied):
    with pytest.raises(RecordingError, match=r"gone\.log: damaged"):
        fold_file(tmp_path / "gone.log", "e")
    folder = copied("chain/0")
    (folder / "propeller.log.gz").unlink()
    with pytest.raises(RecordingError, match=r"has no propeller\.log; record it with logs"):
        fold_recording(folder)
