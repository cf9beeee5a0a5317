from __future__ import annotations

import pytest

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.runtime import runtime_use


def page(mallocs, cpu_s):
    return [
        b"# HELP go_memstats_mallocs_total Total number of heap objects allocated.\n",
        b"go_memstats_mallocs_total %s\n" % mallocs,
        b'flyte:propeller:all:round:raw_unlabeled_ms{wf="x"} 5\n',
        b"process_cpu_seconds_total %s\n" % cpu_s,
    ]


def test_what_a_process_used_is_the_difference_of_two_scrapes():
    found = runtime_use(page(b"1.5e+06", b"12.34"), page(b"1.75e+06", b"12.89"))

    assert found == {"allocations": 250_000, "propeller_cpu_ns": 550_000_000}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (page(b"900", b"9"), page(b"100", b"0.5")),
        ([], page(b"100", b"0.5")),
        (page(b"100", b"0.5"), []),
        (page(b"many", b"much"), page(b"100", b"0.5")),
    ],
    ids=["replaced process", "none before", "none after", "no number"],
)
def test_what_two_scrapes_do_not_tell_is_unknown(before, after):
    assert runtime_use(before, after) == {}


def test_a_recording_tells_allocations_and_where_they_are_from(copied):
    folder = copied("echo_chain/0")
    (folder / "metrics.before.prom").write_bytes(b"".join(page(b"1.5e+06", b"12.34")))
    (folder / "metrics.after.prom").write_bytes(b"".join(page(b"1.75e+06", b"12.89")))

    measures = analyze_recording(folder)

    assert measures.metrics["allocations"] == 250_000
    assert measures.metrics["propeller_cpu_ns"] == 550_000_000
    assert measures.sources["allocations"] == "metrics.before.prom, metrics.after.prom"


def test_a_recording_without_metrics_has_none(copied):
    folder = copied("echo_chain/0")
    for path in folder.glob("metrics.*"):
        path.unlink()

    assert analyze_recording(folder).metrics["allocations"] is None
