"""Compile Go modules side by side: one fetches or links while another keeps the cores busy."""

from __future__ import annotations

import os
import re
import shutil
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.golang import POLL_S, Go, run_go
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.progress import Beat, Progress, elapsed, left

if TYPE_CHECKING:
    from collections.abc import Sequence

_FETCHING = "go: downloading "
TELLING = 0.1
"""Share of the packages from which on their pace says how long the rest takes; what Go's cache
holds is not among those that it names, and then the build ends sooner."""


class Recipe(Frozen, frozen=True):
    """What `go build` is asked for."""

    module: Path
    programs: dict[str, str]
    """Program to its Go package."""
    flags: tuple[str, ...]
    folder: Path
    """Where the programs go."""
    log: Path
    """What Go said; it stays if that failed."""
    mod: str = "readonly"
    """`mod` where go.mod was changed and Go may complete it."""


def compile_all(go: Go, recipes: Sequence[Recipe], progress: Progress) -> None:
    """Build all recipes' programs at once, telling how far that is.

    However this ends, each Go has ended too.

    Raises:
        BuildError: one of them failed, for which the others were ended.
    """
    names = ", ".join(name for recipe in recipes for name in recipe.programs)
    stop = threading.Event()
    meters = [Meter(stop) for _ in recipes]
    progress(f"engine: building {names}")
    beat = Beat(progress, "engine: building")
    with ThreadPoolExecutor(len(recipes)) as threads:
        try:
            left = {
                threads.submit(_compile, go, recipe, meter)
                for recipe, meter in zip(recipes, meters, strict=True)
            }
            while left:
                done, left = wait(left, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for one in done:
                    one.result()
                beat.tick(told(meters, beat.age_s))
        finally:
            stop.set()
    progress(f"engine: built {names} in {elapsed(beat.age_s)}")


class StoppedError(Exception):
    """Another recipe failed, or the caller was interrupted."""


class Meter:
    """Hears what Go says of one recipe, and how far it is; ends that Go once `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.fetched = 0
        self.most: int | None = None
        """Packages that the programs consist of; None until the modules are there."""
        self.compiled = 0
        self.last = ""

    def __call__(self, line: str | None) -> None:
        """Take a line, or None for a while without any."""
        if self._stop.is_set():
            raise StoppedError
        if line is None:
            return
        self.last = line.removeprefix(_FETCHING)
        if line.startswith(_FETCHING):
            self.fetched += 1
        elif self.most is not None:
            self.compiled += 1


def told(meters: Sequence[Meter], age_s: float) -> str:
    """How far all are: modules until the last recipe has its own, packages from the first on.

    Args:
        meters: of the recipes.
        age_s: seconds since the first recipe began.
    """
    known = [meter.most for meter in meters if meter.most is not None]
    fetched = sum(meter.fetched for meter in meters)
    compiled = sum(meter.compiled for meter in meters)
    parts = []
    if fetched and len(known) < len(meters):
        parts.append(f"{fetched:,} modules fetched")
    if compiled:
        most = f" of at most {sum(known):,}" if len(known) == len(meters) else ""
        parts.append(f"{compiled:,}{most} packages compiled")
        if most and compiled > TELLING * sum(known):
            parts.insert(0, left(age_s * (sum(known) / compiled - 1), at_most=True))
    parts += [f"last {meter.last}" for meter in meters if meter.last][-1:]
    return ", ".join(parts)


def _compile(go: Go, recipe: Recipe, meter: Meter) -> None:
    """Build one recipe's programs into its folder."""
    work = recipe.folder / "work"
    work.mkdir()
    # Go's own work folder lies where the programs will: of a killed build, both go together.
    environment = {} if os.environ.get("GOTMPDIR") else {"GOTMPDIR": str(work)}
    packages = tuple(dict.fromkeys(recipe.programs.values()))
    options = (f"-mod={recipe.mod}", *recipe.flags)

    def run(verb: str, *arguments: str) -> str:
        return run_go(
            go,
            verb,
            *options,
            *arguments,
            *packages,
            cwd=recipe.module,
            log=recipe.log,
            environment=environment,
            on_line=meter,
        )

    meter.most = len(run("list", "-deps").splitlines())
    run("build", "-v", "-o", f"{recipe.folder}{os.sep}")
    meter.last = ""
    for name, package in recipe.programs.items():
        output = recipe.folder / _output(package)
        if output.exists():
            output.rename(recipe.folder / name)
    shutil.rmtree(work, ignore_errors=True)
    recipe.log.unlink(missing_ok=True)


def _output(package: str) -> str:
    """The name `go build` gives to a package's program: its last element but a major version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]
