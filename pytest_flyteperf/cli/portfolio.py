"""The portfolio that a command measures under pytest: its paths, and pytest's options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_flyteperf import portfolios
from pytest_flyteperf.cli.parser import HANDS_ON
from pytest_flyteperf.options import OPTIONS

BENCHMARKS = "benchmarks"
BASELINES = "baselines"
_QUIET = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
"""This package is imported too late for pytest to rewrite its assertions: it has none."""


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add what is pytest's own."""
    parser.add_argument(
        "pytest",
        nargs="*",
        help="paths or names of portfolios and, after --, options for pytest",
    )
    parser.set_defaults(**{HANDS_ON: True})


def pytest_arguments(values: Mapping[str, object], given: Sequence[str]) -> list[str]:
    """What pytest is called with: settings by name, then paths and options as they were typed.

    Raises:
        UsageError: there is no portfolio of a name that was given.
    """
    flags = []
    for option in OPTIONS:
        value = values.get(option.name)
        if value is True:
            flags.append(option.flag)
        elif value is not None:
            flags.append(f"{option.flag}={value}")
    targets = list(given)
    if all(target.startswith("-") for target in targets[:1]):
        targets.insert(0, BENCHMARKS if Path(BENCHMARKS).is_dir() else portfolios.OWN)
    own = values.get("baseline-dir") or values.get("update") or Path(BASELINES).is_dir()
    return [*_QUIET, *flags, *_found(targets, lend=not own)]


def _found(targets: Sequence[str], *, lend: bool) -> Iterator[str]:
    """What pytest is told: a portfolio's folder for its name, and where its results then belong.

    With `lend` it is compared with the baselines that the portfolio brings along.
    """
    paths = True
    for target in targets:
        paths = paths and not target.startswith("-")
        if not paths or not target.isidentifier() or Path(target).exists():
            yield target
            continue
        folder = portfolios.folder(target)
        yield f"--rootdir={Path.cwd()}"
        if lend and (folder / BASELINES).is_dir():
            yield f"--flyteperf-baseline-dir={folder / BASELINES}"
        yield str(folder)
