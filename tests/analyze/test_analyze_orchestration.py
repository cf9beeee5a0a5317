"""What Propeller did beneath its handles: counts, latencies and costs of made-up traces."""

import pytest

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.orchestration import Orchestration
from pytest_flyteperf.analyze.spans import Handle, Operation
from pytest_flyteperf.model import Cost, Latency


def operation(name, start, end, above=-1, *, failed=False):
    return Operation(name, start, end, 0 if above < 0 else 1, above, "n0", failed)


def handle(start, end, *operations, execution="e"):
    return Handle(execution, start, end, operations, 0)


def taken(*handles):
    counted = Orchestration()
    for each in handles:
        counted.take(each)
    return counted


ONE = handle(
    100,
    200,
    operation(spans.ROUND, 110, 190),
    operation(spans.NODE_EVENT, 120, 150, above=0),
    operation(spans.NODE_EVENT, 150, 160, above=0, failed=True),
    operation(spans.NODE_EVENT, 160, 170, above=0, failed=True),
    operation(spans.CRD_WRITE, 192, 197, failed=True),
)
TWO = handle(300, 340, operation(spans.ROUND, 300, 330), operation("other", 305, 310, above=0))


def test_operations_are_counted_and_events_that_were_refused_are_not():
    assert taken(ONE, TWO).metrics() == {
        "handles": 2,
        "handle_ns": 140,
        "rounds": 2,
        "node_events": 1,
        "crd_writes": 1,
        "workflow_events": 0,
        "task_events": 0,
        "blob_reads": 0,
        "blob_writes": 0,
    }


def test_without_a_handle_nothing_is_counted():
    assert taken().metrics() == {}


def test_rounds_are_listed_with_execution_start_and_length():
    assert taken(ONE, TWO._replace(execution="child")).evaluations == [
        ("e", 110, 80),
        ("child", 300, 30),
    ]


def test_latencies_are_told_by_operation_and_what_is_around_it():
    found = {(one.operation, one.beneath): one for one in taken(ONE, TWO).latencies()}

    assert list(found) == sorted(found)
    assert set(found) == {
        (spans.HANDLE, ""),
        (spans.ROUND, spans.HANDLE),
        (spans.NODE_EVENT, spans.ROUND),
        (spans.CRD_WRITE, spans.HANDLE),
        ("other", spans.ROUND),
    }
    assert found[spans.NODE_EVENT, spans.ROUND] == Latency(
        operation=spans.NODE_EVENT,
        beneath=spans.ROUND,
        count=3,
        failed=2,
        sum_ns=50,
        p50_ns=10,
        p90_ns=30,
        p99_ns=30,
        max_ns=30,
    )
    assert found[spans.HANDLE, ""].failed == 0


@pytest.mark.parametrize(("percent", "value"), [(50, 100), (90, 180), (99, 198)])
def test_percentiles_are_nearest_ranks(percent, value):
    many = taken(*(handle(0, length) for length in range(1, 201)))

    (latency,) = many.latencies()

    assert getattr(latency, f"p{percent}_ns") == value
    assert latency.max_ns == 200


def test_costs_are_calls_and_own_time_by_operation_wherever_it_was_called():
    again = handle(400, 500, operation(spans.NODE_EVENT, 410, 420))
    own = [(110, 120, spans.ROUND), (120, 150, spans.NODE_EVENT), (410, 420, spans.NODE_EVENT)]

    costs = taken(ONE, again).costs(own)

    assert costs[spans.NODE_EVENT] == Cost(calls=4, ns=40)
    assert costs[spans.ROUND] == Cost(calls=1, ns=10)
    assert costs[spans.CRD_WRITE] == Cost(calls=1, ns=0)
    assert costs[spans.HANDLE] == Cost(calls=2, ns=0)
