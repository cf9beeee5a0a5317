"""All raw facts of one execution, gathered after its end and written as a recording."""

from pytest_flyteperf.collect.admin import (
    Admin,
    AdminError,
    Harvest,
    error_message,
    phase_name,
)
from pytest_flyteperf.collect.calm import await_calm, spoilt_by_others
from pytest_flyteperf.collect.collector import Collected, Collector, End, Mark
from pytest_flyteperf.collect.finished import Sources, record
from pytest_flyteperf.collect.header import Submission
from pytest_flyteperf.collect.reference import Reference, parse_reference

__all__ = [
    "Admin",
    "AdminError",
    "Collected",
    "Collector",
    "End",
    "Harvest",
    "Mark",
    "Reference",
    "Sources",
    "Submission",
    "await_calm",
    "error_message",
    "parse_reference",
    "phase_name",
    "record",
    "spoilt_by_others",
]
