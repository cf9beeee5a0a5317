"""Portfolios that installed packages bring along, run by name: `flyteperf run NAME`.

A package offers one in the entry-point group `pytest_flyteperf.portfolios`; the entry point names
a package whose folder holds the `test_*.py` of the cases, with what they import beside them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from pytest_flyteperf.errors import UsageError

GROUP = "pytest_flyteperf.portfolios"
OWN = "flyte"
"""The portfolio of this package: Flyte itself, with nothing else installed."""
OURS = {OWN: "benchmarks", "ray": "portfolios/ray", "spark": "portfolios/spark"}
"""Portfolios in the wheel, in `cases/<name>`, and the folders of the checkout it is made from."""


class BrokenPortfolioError(UsageError):
    """A package offers a portfolio, and it cannot be loaded."""


def names() -> tuple[str, ...]:
    """Portfolios that are installed, in alphabetical order."""
    return tuple(sorted({*OURS, *(entry.name for entry in entry_points(group=GROUP))}))


def folder(name: str) -> Path:
    """The folder of a portfolio's cases.

    Raises:
        BrokenPortfolioError: the package that offers it does not import, or is none.
        UsageError: no package offers it, or two do.
    """
    if name in OURS:
        return _own(name)
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(f"{name}: neither a path nor a portfolio; there are {', '.join(names())}")
    if len(found) > 1:
        owners = " and ".join(sorted(_owner(entry) for entry in found))
        raise UsageError(f"portfolio {name}: both {owners} offer it; uninstall one")
    return _located(found[0])


def _own(name: str) -> Path:
    package = Path(__file__).parent
    installed = package / "cases" / name
    return installed if installed.is_dir() else package.parent / OURS[name]


def _located(entry: EntryPoint) -> Path:
    where = f"portfolio {entry.name} of {_owner(entry)}: {entry.value}"
    try:
        spec = find_spec(entry.value)
        if spec is not None:
            import_module(entry.value)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenPortfolioError(f"{where} does not import: {reason}") from error
    folders = () if spec is None else tuple(spec.submodule_search_locations or ())
    if not folders:
        raise BrokenPortfolioError(f"{where} is no package; the entry point must name one")
    return Path(folders[0])


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown package"
