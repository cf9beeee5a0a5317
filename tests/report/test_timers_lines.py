from pytest_flyteperf.model import Measures, NodeOverhead, Owned, Ownership
from pytest_flyteperf.report import timers

NOTHING = NodeOverhead(flyte_ns=0, scheduling_ns=0, runtime_ns=0)


def execution(waited_ns):
    owners = tuple(
        Owned(owner="flyte", detail=f"waiting: {timer}", point_ns=ns, low_ns=ns, high_ns=ns)
        for timer, ns in waited_ns.items()
    )
    wall_ns = sum(waited_ns.values())
    owned = Ownership(
        wall_ns=wall_ns, owners=owners, working_ns={}, path=(), nodes=(), summed=NOTHING
    )
    return Measures(execution="x", phase="SUCCEEDED", metrics={}, ownership=owned)


def test_long_timers_are_told_apart():
    executions = [
        execution({"launch-plan timer": 20_000_000_000, "batching tick": 1_000_000_000}),
        execution({"launch-plan timer": 5_500_000_000, "resync timer": 500_000_000}),
    ]

    assert list(timers.lines(executions)) == [
        "executions took 27.0 s, of which Flyte's own timers: launch-plan timer 25.5 s"
    ]


def test_nothing_is_said_where_no_long_timer_was_waited_for():
    unknown = Measures(execution="x", phase="RUNNING", metrics={})

    assert list(timers.lines([unknown, execution({"batching tick": 9_000_000_000})])) == []
