"""What a case costs per node and per byte, and how far it is from its platform's limits."""

import pytest

from pytest_flyteperf.analyze import scaling
from pytest_flyteperf.model import Latency, LimitUse, Measures, StateMeasures

LIMIT = 100_000


def measured(nodes, duration_ns=None, used=None):
    """An execution of so many nodes; each node has 500 bytes, the rest 1,000."""
    used = 1000 + 500 * nodes if used is None else used
    round_ns = 2_000_000 + 3 * used
    return Measures(
        execution=f"of{nodes}",
        phase="SUCCEEDED",
        metrics={"duration_ns": 10_000 + 7_000 * nodes if duration_ns is None else duration_ns},
        latencies=(
            Latency(
                operation="round",
                beneath="handle",
                count=10,
                failed=0,
                sum_ns=10 * round_ns,
                p50_ns=round_ns,
                p90_ns=round_ns,
                p99_ns=round_ns,
                max_ns=round_ns,
            ),
        ),
        state=StateMeasures(
            revisions=1,
            written_bytes=used,
            first_bytes=used,
            peak_bytes=used,
            peak_spec_bytes=0,
            peak_status_bytes=used,
            peak_gzip_bytes=used,
            peak_nodes=nodes,
            node_bytes=500,
            limits=(
                LimitUse(limit="etcd request", limit_bytes=LIMIT, used_bytes=used, nodes=None),
            ),
        ),
    )


def slopes(found):
    return {(one.metric, one.per): one for one in found.slopes}


def test_cost_per_node_and_per_byte_are_those_that_were_put_in():
    found = scaling([(nodes, measured(nodes)) for nodes in (10, 20, 40, 80)])

    assert found.sizes == (10, 20, 40, 80)
    assert slopes(found)["duration_ns", "node"].per_unit == pytest.approx(7_000)
    assert slopes(found)["duration_ns", "node"].at_zero == pytest.approx(10_000)
    assert slopes(found)["peak_bytes", "node"].per_unit == pytest.approx(500)
    assert slopes(found)["round_ns", "byte"].per_unit == pytest.approx(3)


def test_one_odd_repeat_moves_nothing():
    odd = [(nodes, measured(nodes)) for nodes in (10, 20, 40, 80) for _ in range(2)]
    odd.append((20, measured(20, duration_ns=10**9)))

    slope = slopes(scaling(odd))["duration_ns", "node"]

    assert slope.per_unit == pytest.approx(7_000)
    assert slope.low <= slope.per_unit <= slope.high


def test_the_cliff_lies_where_the_line_meets_the_limit():
    (cliff,) = scaling([(nodes, measured(nodes)) for nodes in (10, 100)]).cliffs

    assert cliff.nodes == 198  # 1000 + 500 n = 100,000
    assert cliff.share == 51_000 / LIMIT


def test_what_does_not_grow_never_meets_a_limit():
    (cliff,) = scaling([(nodes, measured(nodes, used=700)) for nodes in (10, 100)]).cliffs

    assert cliff.nodes is None


def test_where_the_cost_changes_is_the_knee():
    steep = [(n, measured(n, duration_ns=n if n <= 40 else 100 * n)) for n in range(10, 90, 10)]

    assert slopes(scaling(steep))["duration_ns", "node"].knee == 40


def test_a_measure_that_nobody_knows_has_no_slope():
    assert ("handle_ns", "node") not in slopes(scaling([(n, measured(n)) for n in (1, 2)]))


def test_one_size_has_no_slope():
    assert scaling([(10, measured(10)), (10, measured(10))]) is None
