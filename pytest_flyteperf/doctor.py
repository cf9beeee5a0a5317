"""What this machine can run, and what is missing, each with its remedy."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from pytest_flyteperf.engine import build
from pytest_flyteperf.engine.golang import find_go, go_directive
from pytest_flyteperf.errors import BuildError, ClusterError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.paths import cache_dir, state_dir
from pytest_flyteperf.provision.requirements import require

LEAST_CPUS = 2
LEAST_MEMORY = 3 << 30
"""Bytes that the engine and a map task's processes need beside a usual desktop."""
BROWSER = "chromium"
LEAST_DISK = 4 << 30
"""Bytes that a first build needs: Go's build cache alone grows by 2 to 3 GB."""


class Finding(Frozen, frozen=True):
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    remedy: str | None = None
    """What to do, where it is not as it should be."""
    optional: bool = False
    """Whether the embedded engine does without it."""


def examine(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Look at what a run on the embedded engine needs, and what more there is.

    Starts and changes nothing.
    """
    return (
        _system(),
        _cpus(),
        _memory(),
        _disk(cache_dir(environ), LEAST_DISK, "FLYTEPERF_CACHE"),
        _disk(state_dir(environ), 1 << 30, "FLYTEPERF_STATE"),
        _go(environ),
        _engine(cache_dir(environ)),
        _flytekit(),
        _kind(),
        _browser(),
    )


def _system() -> Finding:
    found = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return _finding(
        "system", found, "the embedded engine runs on Linux only", ok=sys.platform == "linux"
    )


def _cpus() -> Finding:
    count = psutil.cpu_count() or 0
    return _finding(
        "CPUs",
        str(count),
        f"with less than {LEAST_CPUS} the engine and what it measures share one",
        ok=count >= LEAST_CPUS,
    )


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    return _finding(
        "memory",
        f"{available / 2**30:.1f} GiB available",
        f"{LEAST_MEMORY >> 30} GiB should be available; end something",
        ok=available >= LEAST_MEMORY,
    )


def _disk(folder: Path, least: int, variable: str) -> Finding:
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return _finding(
        f"disk {folder}",
        f"{free / 2**30:.1f} GiB free",
        f"{least >> 30} GiB should be free; make room or set {variable}",
        ok=free >= least,
    )


def _go(environ: Mapping[str, str]) -> Finding:
    least = go_directive(build.MODULES / "flyte" / "go.mod")
    try:
        go = find_go(least, environ)
    except BuildError as error:
        return Finding(what="Go", ok=False, found="none that is new enough", remedy=str(error))
    return Finding(what="Go", ok=True, found=f"{go.version} at {go.path}")


def _engine(cache: Path) -> Finding:
    built = sorted(p.name for p in (cache / "engine").glob("[a-z]*-*") if p.is_dir())
    found = ", ".join(built) or "not built yet; the first run builds it, in about five minutes"
    return Finding(what="engine", ok=True, found=found)


def _flytekit() -> Finding:
    from importlib.metadata import version

    return Finding(what="flytekit", ok=True, found=version("flytekit"))


def _kind() -> Finding:
    try:
        found = require()
    except ClusterError as error:
        return Finding(
            what="kind clusters", ok=False, found="not here", remedy=str(error), optional=True
        )
    told = f"kind {found.kind_version}, {found.helm}, {found.docker}"
    return Finding(what="kind clusters", ok=True, found=told, optional=True)


def _browser() -> Finding:
    path = shutil.which(BROWSER)
    remedy = "the tests of the report are skipped; Debian: apt install chromium"
    return Finding(
        what="Chromium",
        ok=path is not None,
        found=path or "not on PATH",
        remedy=None if path else remedy,
        optional=True,
    )


def _finding(what: str, found: str, remedy: str, *, ok: bool) -> Finding:
    return Finding(what=what, ok=ok, found=found, remedy=None if ok else remedy)
