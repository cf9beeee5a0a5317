from __future__ import annotations

from pytest_flyteperf import gate
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import sharpness
from tests.gate.gate_examples import HERE, MS, POLICY, accepted, noisy, repeats

TIMES = {"handle_ns": noisy(1, 12), "duration_ns": noisy(2, 12, middle=4000 * MS)}


def test_resolutions_and_canaries_are_told():
    sung = {
        "cpu_ns": [44 * MS] * 12,
        "api_write_ns": [3 * MS] * 12,
        "other_cpu_ppm": [31_000] * 12,
    }
    now = repeats(canaries=sung, **TIMES)
    verdict = gate.judge("chain", Size.DEFAULT, now, accepted([TIMES, TIMES]), HERE, POLICY)

    first, second = sharpness.lines(verdict, now)

    shown = {m.metric: f"±{100 * m.resolution:.0f} %" for m in verdict.metrics}
    assert first == (f"  resolves duration {shown['duration_ns']}, working {shown['handle_ns']}")
    assert second == "  canaries: CPU 44.0 ms, API write 3.00 ms, others use 3 % of the CPUs"


def test_what_is_not_known_is_not_told():
    now = repeats(**TIMES)

    assert list(sharpness.lines(gate.judge("c", Size.DEFAULT, now, None, HERE), now)) == []
