"""The portfolio that a command measures under pytest: its paths, and pytest's options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.settings import OPTIONS

BENCHMARKS = "benchmarks"
_QUIET = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
"""This package is imported too late for pytest to rewrite its assertions: it has none."""


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add what is pytest's own."""
    parser.add_argument(
        "pytest", nargs="*", help="paths (./benchmarks if none) and, after --, options for pytest"
    )


def pytest_arguments(values: Mapping[str, object], given: Sequence[str]) -> list[str]:
    """What pytest is called with: settings by name, then paths and options as they were typed.

    Raises:
        UsageError: no path was given, and there is no ./benchmarks.
    """
    flags = []
    for option in OPTIONS:
        value = values.get(option.name)
        if value is True:
            flags.append(option.flag)
        elif value is not None:
            flags.append(f"{option.flag}={value}")
    if not given and not Path(BENCHMARKS).is_dir():
        raise UsageError(f"{Path.cwd() / BENCHMARKS}: there is no such folder; name one")
    return [*_QUIET, *flags, *(given or [BENCHMARKS])]
