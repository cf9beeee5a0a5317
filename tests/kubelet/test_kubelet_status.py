from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.engine.forkserver.protocol import Exited, Refused, Started
from pytest_flyteperf.engine.kubelet import status
from pytest_flyteperf.engine.kubelet.pods import Container, Metadata, Pod, Spec

POD = Pod(Metadata("p", "u", "ns"), Spec((Container("main"),)))
S = 1_000_000_000


def exited(code=0, *, oom=False):
    return Exited("u/main", 1, code, 0, oom, 5 * S + 1, 7 * S + 999_999_999, 20, 3, 5, 7)


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (exited(), 0, "Completed"),
        (exited(3), 3, "Error"),
        (exited(137), 137, "Error"),
        (exited(137, oom=True), 137, "OOMKilled"),
        (Refused("u/main", "why", S), 128, "StartError"),
    ],
)
def test_ends_have_kubernetes_reasons(end, code, reason):
    ended = status.Ended.of(end, "")

    assert (ended.exit_code, ended.reason) == (code, reason)


def test_seconds_are_cut_off_and_nanoseconds_kept():
    patch = status.ended(POD, {"main": status.Ended.of(exited(), "")}, 5 * S, None)

    (container,) = patch["status"]["containerStatuses"]
    assert container["state"]["terminated"]["startedAt"] == "1970-01-01T00:00:05Z"
    assert container["state"]["terminated"]["finishedAt"] == "1970-01-01T00:00:07Z"
    assert patch["metadata"]["annotations"] == {
        status.STARTED_NS: "5000000001",
        status.FINISHED_NS: "7999999999",
        status.USE: '{"cpu_ns":3,"max_resident_bytes":20,"read_bytes":5,"written_bytes":7}',
    }


def test_the_use_of_containers_is_added_up_and_the_largest_counts_for_memory():
    ends = {name: status.Ended.of(exited(), "") for name in ("main", "side")}
    patch = status.ended(POD, ends, S, None)

    use = '{"cpu_ns":6,"max_resident_bytes":20,"read_bytes":10,"written_bytes":14}'
    assert patch["metadata"]["annotations"][status.USE] == use


def test_use_is_unknown_where_that_of_one_container_is():
    ends = {"main": status.Ended.of(exited(), ""), "lost": status.Ended.lost("gone", S)}

    assert status.USE not in status.ended(POD, ends, S, None)["metadata"]["annotations"]


def test_a_verdict_of_the_kubelet_fails_what_succeeded():
    verdict = status.Verdict("DeadlineExceeded", "late")
    patch = status.ended(POD, {"main": status.Ended.of(exited(), "")}, S, verdict)

    assert patch["status"]["phase"] == "Failed"
    assert patch["status"]["reason"] == "DeadlineExceeded"


def test_what_never_began_has_no_stamp_and_did_not_succeed():
    patch = status.ended(POD, {}, S, None)

    assert patch["status"]["phase"] == "Failed"
    assert patch["metadata"]["annotations"] == {}


@given(st.lists(st.tuples(st.integers(1, 10**18), st.integers(0, 10**12)), min_size=1, max_size=5))
def test_stamps_span_the_containers(spans):
    names = [f"c{place}" for place in range(len(spans))]
    pod = Pod(Metadata("p", "u"), Spec(tuple(map(Container, names))))
    states = {
        name: status.Ended(0, "Completed", "", start, start + length)
        for name, (start, length) in zip(names, spans, strict=True)
    }

    stamps = status.ended(pod, states, 1, None)["metadata"]["annotations"]

    assert int(stamps[status.STARTED_NS]) == min(start for start, _ in spans)
    assert int(stamps[status.FINISHED_NS]) == max(start + length for start, length in spans)


def test_a_container_that_runs_keeps_the_end_open():
    pod = Pod(Metadata("p", "u"), Spec((Container("a"), Container("b"))))
    states = {"a": status.Ended(0, "Completed", "", 1, 2), "b": Started("u/b", 1, 3)}

    assert status.running(pod, states, 1)["metadata"]["annotations"] == {status.STARTED_NS: "1"}
