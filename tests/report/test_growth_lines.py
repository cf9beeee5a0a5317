from pytest_flyteperf.model import Cliff, Scaling, ScalingSlope
from pytest_flyteperf.report import growth


def sloped(metric, per, line, knee=None):
    low, per_unit, high = line
    return ScalingSlope(
        metric=metric, per=per, per_unit=per_unit, low=low, high=high, at_zero=0, knee=knee
    )


def test_growth_is_told_with_intervals_and_limits():
    found = Scaling(
        sizes=(25, 100),
        slopes=(
            sloped("duration_ns", "node", (18e6, 19.5e6, 21e6), knee=50),
            sloped("round_ns", "byte", (0.5e3, 1e3, 2e3)),
            sloped("crd_writes", "node", (-0.001, 0.25, 0.5)),
            sloped("pods", "node", (0, 0, 0)),
            sloped("peak_bytes", "node", (-0.2, -0.1, 0.7)),
        ),
        cliffs=(
            Cliff(limit="etcd's request", limit_bytes=1, share=0.034, nodes=2_650),
            Cliff(limit="GKE's object", limit_bytes=1, share=0.5, nodes=None),
        ),
    )

    assert list(growth.lines("wide\x1b", found)) == [
        "wide\\x1b: growth over 25, 100, with 95 % intervals",
        "  duration 19.5 ms [18.0 ms, 21.0 ms] a unit, another beyond 50",
        "  a round 1.02 ms [512 µs, 2.05 ms] a KiB of CRD",
        "  CRD writes 0.25 [0.00, 0.50] a unit",
        "  CRD size 0 B [0 B, 1 B] a unit",
        "  etcd's request: 3.4 % used at 100, reached at 2,650",
        "  GKE's object: 50.0 % used at 100, never reached",
    ]
