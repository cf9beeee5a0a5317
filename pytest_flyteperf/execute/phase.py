"""At which phase of the second a repeat is submitted.

FlytePropeller's batching queue wakes once a second and kubelets stamp whole seconds. Submitted at
a fixed phase, executions lock onto these ticks and equal systems look different; a uniformly
random phase samples them evenly.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

SECOND_NS = 1_000_000_000


def phase_offset_ns(seed: int, case: str, index: int) -> int:
    """Draw a repeat's phase: nanoseconds into the second, uniform, the same for the same seed."""
    return random.Random(f"{seed}/{case}/{index}").randrange(SECOND_NS)  # noqa: S311 - not a secret


def wait_ns(now_unix_ns: int, offset_ns: int) -> int:
    """Time from now to the next instant of this phase; 0 at it, always less than a second."""
    return (offset_ns - now_unix_ns) % SECOND_NS


def wait_for_phase(
    offset_ns: int,
    *,
    wall_ns: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Sleep until the next instant of this phase; returns how long that was meant to be, in ns."""
    pause_ns = wait_ns(wall_ns(), offset_ns)
    sleep(pause_ns / SECOND_NS)
    return pause_ns
