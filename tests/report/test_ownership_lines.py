from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf.model import Cost, NodeOverhead, Owned, Ownership
from pytest_flyteperf.report import ownership
from tests.gate.gate_examples import MS, repeats


def owning(owners, operations=None):
    """One repeat whose wall clock belongs to these owners, in milliseconds."""
    parts = tuple(
        Owned(owner=o, detail=d, point_ns=ms * MS, low_ns=ms * MS, high_ns=ms * MS)
        for (o, d), ms in owners.items()
    )
    owned = Ownership(
        wall_ns=sum(owners.values()) * MS,
        owners=parts,
        working_ns={},
        path=(),
        nodes=(),
        summed=NodeOverhead(flyte_ns=0, scheduling_ns=0, runtime_ns=0),
    )
    return structs.replace(repeats(pods=[1])[0], ownership=owned, operations=operations or {})


def test_owners_are_listed_largest_first_as_means():
    samples = [
        owning({("flyte", "waiting: batching tick"): 3000, ("user", "container"): 1000}),
        owning({("flyte", "waiting: batching tick"): 2000, ("user", "container"): 2000}),
    ]

    assert ownership.lines("chain", samples) == (
        "chain: 4.00 s of wall clock, mean of 2 repeats",
        "  flyte  waiting: batching tick  2.50 s  62.5 %  ###############",
        "  user   container               1.50 s  37.5 %  #########",
    )


def test_operations_of_the_handles_are_told():
    costs = {
        "crd write": Cost(calls=12, ns=300 * MS),
        "round": Cost(calls=40, ns=5 * MS),
        "blob read": Cost(calls=8, ns=40 * MS),
        "node event": Cost(calls=18, ns=55 * MS),
    }

    assert ownership.lines("chain", [owning({("flyte", "working"): 400}, costs)])[-4:] == (
        "  handles 400 ms, most of it in",
        "    crd write    300 ms  in 12 calls",
        "    node event  55.0 ms  in 18 calls",
        "    blob read   40.0 ms  in 8 calls",
    )


def test_unknown_is_shown_however_small_and_the_rest_is_summed_up():
    owners = {("user", "container"): 100_000, ("unknown", ""): 1, ("held", "max-parallelism"): 2}

    assert ownership.lines("chain", [owning(owners)])[2:] == (
        "  unknown                1.00 ms    0.0 %",
        "  others                 2.00 ms    0.0 %",
    )


def test_without_ownership_nothing_is_said():
    assert ownership.lines("chain", repeats(pods=[1])) == ()


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["flyte", "user", "unknown"]), st.text(max_size=8)),
        st.integers(1, 10**6),
        min_size=1,
    )
)
def test_shares_add_up(owners):
    lines = ownership.lines("chain", [owning(owners)])
    shares = [float(line.split(" %")[-2].rsplit(" ", 1)[1]) for line in lines[1:]]

    assert abs(sum(shares) - 100) <= 0.05 * len(shares) + 1e-6
    assert all(line.isprintable() for line in lines)
