"""`flyteperf run`.

Settings have the names here that they have for pytest after `--flyteperf-`.

A name stands for a portfolio that an installed package brings along; without a path or a name it
is ./benchmarks, or where there is none `flyte`, the portfolio of this package.

Examples:
  flyteperf run --baseline
  flyteperf run flyte --short
  flyteperf run benchmarks/test_chain.py --short -- -k echo -x
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from pytest_flyteperf.cli.parser import add_options
from pytest_flyteperf.cli.portfolio import add_paths, pytest_arguments, sound
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.options import OPTIONS


def arguments(parser: argparse.ArgumentParser) -> None:
    """All settings, and what is pytest's."""
    add_options(parser, tuple(option.name for option in OPTIONS))
    add_paths(parser)


def run(given: argparse.Namespace) -> int:
    """Hand over to pytest; the exit code is its own, or tells that a portfolio was left out."""
    for option in OPTIONS:  # what is wrong by itself; pytest's ini file may add the rest
        if (value := vars(given)[option.name]) is not None:
            option.parse(value, option.flag, Path.cwd())
    typed, broken = sound(given.pytest)
    for error in broken:
        print(f"flyteperf: {error}", file=sys.stderr)
    code = int(pytest.main(pytest_arguments(vars(given), typed)))
    return code or (UsageError.exit_code if broken else code)
