"""The portfolio that a command measures under pytest: its paths, and pytest's options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from pytest_flyteperf import portfolios
from pytest_flyteperf.cli.parser import HANDS_ON
from pytest_flyteperf.options import OPTIONS
from pytest_flyteperf.portfolios import BrokenPortfolioError

BENCHMARKS = "benchmarks"
BASELINES = "baselines"
_QUIET = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
"""This package is imported too late for pytest to rewrite its assertions: it has none."""
_STEADY = "--continue-on-collection-errors"
"""A file that does not import keeps the other cases from nothing."""


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add what is pytest's own."""
    parser.add_argument(
        "pytest",
        nargs="*",
        help="paths or names of portfolios and, after --, options for pytest",
    )
    parser.set_defaults(**{HANDS_ON: True})


def sound(given: Sequence[str]) -> tuple[list[str], tuple[BrokenPortfolioError, ...]]:
    """What was typed but for portfolios that cannot be loaded, and what is wrong with these.

    Raises:
        BrokenPortfolioError: there is nothing else.
        UsageError: there is no portfolio of a name that was typed.
    """
    kept: list[str] = []
    broken: list[BrokenPortfolioError] = []
    paths = list(_paths(given))
    for place, target in enumerate(given):
        try:
            if place < len(paths) and _is_name(target):
                portfolios.folder(target)
            kept.append(target)
        except BrokenPortfolioError as error:
            broken.append(error)
    if len(broken) == len(paths) > 0:
        raise broken[0]
    return kept, tuple(broken)


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
    return [*_QUIET, _STEADY, *flags, *_found(targets, lend=not own)]


def _found(targets: Sequence[str], *, lend: bool) -> Iterator[str]:
    """What pytest is told: a portfolio's folder for its name, and where its results then belong.

    With `lend` it is compared with the baselines that the portfolio brings along.
    """
    paths = len(list(_paths(targets)))
    for place, target in enumerate(targets):
        if place >= paths or not _is_name(target):
            yield target
            continue
        folder = portfolios.folder(target)
        yield f"--rootdir={Path.cwd()}"
        if lend and (folder / BASELINES).is_dir():
            yield f"--flyteperf-baseline-dir={folder / BASELINES}"
        yield str(folder)


def _paths(given: Sequence[str]) -> Iterator[str]:
    """What stands before pytest's options."""
    return takewhile(lambda target: not target.startswith("-"), given)


def _is_name(target: str) -> bool:
    """Whether a portfolio is meant: a path that exists goes before a name."""
    return target.isidentifier() and not Path(target).exists()
