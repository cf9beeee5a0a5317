"""Propeller's own counters, and whether they agree with its spans."""

import gzip

import pytest
from analyze_folders import WITH_METRICS, read, write

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.signals import SOURCES, read_samples, signals
from pytest_flyteperf.model import Severity

NEVER_SEEN = {
    "refused node events",
    "throttled workflow events",
    "throttled node events",
    "throttled task events",
    "catalog puts failed",
}
"""Metrics with labels appear with their first sample, and nothing recorded had one of these."""


def by_name(folder):
    return {signal.name: signal for signal in analyze_recording(folder).signals}


@pytest.mark.parametrize("name", WITH_METRICS)
def test_counters_agree_with_spans(recordings, name):
    checks = [finding.check for finding in analyze_recording(recordings / name).findings]

    assert analyze_recording(recordings / name).signals
    assert "counters disagree" not in checks


def test_every_name_is_one_of_flytes(recordings):
    known = set()
    for name in WITH_METRICS:
        with gzip.open(recordings / name / "metrics.after.prom.gz") as lines:
            known |= set(read_samples(lines))

    missing = {
        name
        for name, (metric, unit) in SOURCES.items()
        if (metric if unit is None else f"{metric}_count") not in known
    }
    assert missing == NEVER_SEEN


def test_an_event_that_was_refused_is_a_failure_to_propeller(recordings):
    """As the spans have it: ten events of `launchplan2`, one refused."""
    found = by_name(recordings / "launchplan2/0")

    assert (found["workflow events"].count, found["refused workflow events"].count) == (9, 1)


def test_what_traces_cannot_see_is_counted(recordings):
    """Four HEADs for each of five tasks that succeeded: error, outputs, futures twice."""
    assert by_name(recordings / "chain/0")["blob heads"].count == 4 * 5


def test_queue_waits_are_seconds_whatever_their_names_say(recordings):
    """Six waits for the tick of a second: at most six seconds, and the path's among them."""
    measures = analyze_recording(recordings / "chain/0")
    waited = by_name(recordings / "chain/0")["batching queue wait"]

    assert measures.metrics["waiting_ns"] <= waited.sum_ns <= 6_000_000_000


def test_spans_that_counters_have_seen_and_we_have_not_are_told(copied):
    folder = copied("chain/0")
    path = folder / "metrics.after.prom.gz"
    content = read(path)
    line = next(
        line
        for line in content.splitlines()
        if line.startswith(b"flyte:propeller:all:round:round_time_unlabeled_ms_count")
    )
    name, count = line.split()
    write(path, content.replace(line, b"%s %d" % (name, int(count) + 2)))

    finding = next(f for f in analyze_recording(folder).findings if f.check == "counters disagree")

    assert finding.severity is Severity.NOTE
    assert finding.evidence == "45 rounds counted, 43 in spans"


def test_without_metrics_there_is_no_signal(recordings):
    assert analyze_recording(recordings / "chain/1").signals == ()


def test_labels_are_added_up_and_quantiles_buckets_and_nonsense_left_out():
    lines = [
        b"# HELP flyte:propeller:all:round:skipped x\n",
        b'flyte:propeller:all:a_count{wf="x"} 2\n',
        b'flyte:propeller:all:a_count{wf="y z"} 3 1795354445000\n',
        b'flyte:propeller:all:a{quantile="0.5"} 7\n',
        b'flyte:propeller:all:a_bucket{le="1"} 7\n',
        b"flyte:propeller:all:broken NaNsense\n",
        b"flyte:propeller:all:\xff 3\n",
        b"flyte:admin:admin:other 9\n",
    ]

    assert read_samples(lines) == {"a_count": 5.0}


def test_a_process_that_was_replaced_has_no_signal():
    before = {"round:skipped": 9.0, "wf_updated": 3.0}
    after = {"round:skipped": 2.0, "wf_updated": 8.0, "wf_update_conflict": 1.0}

    counted = {signal.name: signal.count for signal in signals(before, after)}

    assert counted == {"CRD writes": 5, "CRD write conflicts": 1}


def test_counters_never_become_metrics(copied):
    folder = copied("chain/0")
    (folder / "otlp.binpb.gz").unlink()

    metrics = analyze_recording(folder).metrics

    assert by_name(folder)["rounds"].count == 43
    assert metrics["rounds"] is None
