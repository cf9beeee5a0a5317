"""`flyteperf run`.

Settings have the names here that they have for pytest after `--flyteperf-`.

Examples:
  flyteperf run --baseline
  flyteperf run benchmarks/test_chain.py --short -- -k echo -x
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytest_flyteperf.cli.parser import add_options
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.settings import OPTIONS

BENCHMARKS = "benchmarks"


def arguments(parser: argparse.ArgumentParser) -> None:
    """All settings, and what is pytest's."""
    add_options(parser, tuple(option.name for option in OPTIONS))
    parser.add_argument(
        "pytest", nargs="*", help="paths (./benchmarks if none) and, after --, options for pytest"
    )


def run(given: argparse.Namespace) -> int:
    """Hand over to pytest; the exit code is its own."""
    flags = []
    for option in OPTIONS:
        value = getattr(given, option.name)
        if value is True:
            flags.append(option.flag)
        elif value is not None:
            flags.append(f"{option.flag}={value}")
    if not given.pytest and not Path(BENCHMARKS).is_dir():
        raise UsageError(f"{Path.cwd() / BENCHMARKS}: there is no such folder; name one")
    return int(pytest.main([*flags, *(given.pytest or [BENCHMARKS])]))
