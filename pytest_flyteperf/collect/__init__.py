"""All raw facts of one repeat, gathered after its end and written as a recording."""

from pytest_flyteperf.collect.admin import (
    Admin,
    AdminError,
    Harvest,
    error_message,
    phase_name,
)
from pytest_flyteperf.collect.collector import Collected, Collector, End, Mark
from pytest_flyteperf.collect.header import Submission

__all__ = [
    "Admin",
    "AdminError",
    "Collected",
    "Collector",
    "End",
    "Harvest",
    "Mark",
    "Submission",
    "error_message",
    "phase_name",
]
