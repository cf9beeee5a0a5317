"""The cache of built programs: a folder is whole or absent, and one builder works at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import psutil

from pytest_flyteperf.errors import BuildError
from pytest_flyteperf.progress import Beat, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

_UNFINISHED = ".building-"
_LOCK = "build.lock"
_LOCK_POLL_S = 0.2
KEPT_FLYTES = 8
"""Builds of Flyte that are kept: each edit of a source checkout makes one of 150 MB or so."""


def obtain(
    root: Path,
    wanted: Mapping[str, Iterable[str]],
    make: Callable[[Mapping[str, Path]], None],
    progress: Progress,
) -> dict[str, Path]:
    """Return folders of the cache by name, with the programs in them that are wanted of each.

    For those that are not there, `make` fills temporary folders, which then take their names. Other
    builders on this machine wait meanwhile, and find it done.

    Raises:
        BuildError: the cache cannot be written, or `make` left out a program.
    """
    programs = {name: tuple(those) for name, those in wanted.items()}
    folders = {name: root / name for name in programs}

    def missing() -> list[str]:
        return [name for name in programs if not _is_whole(folders[name], programs[name])]

    if missing():
        with _alone(root, progress):
            _remove_unfinished(root)
            temporary = {name: _temporary(root) for name in missing()}
            try:
                if temporary:
                    make(temporary)
                for name, folder in temporary.items():
                    _settle(folder, folders[name], programs[name])
            finally:
                for folder in temporary.values():
                    shutil.rmtree(folder, ignore_errors=True)
            _prune(root, keep=folders.values())
    for folder in folders.values():
        os.utime(folder)
    return folders


def clean(root: Path, progress: Progress = silent) -> int:
    """Remove all cached engines but those a process runs from; return the bytes freed."""
    if not root.is_dir():
        return 0
    with _alone(root, progress):
        _remove_unfinished(root)
        return sum(_remove(folder) for folder in _unused(root, ("tools-*", "flyte-*")))


def _is_whole(folder: Path, programs: tuple[str, ...]) -> bool:
    return folder.is_dir() and all(os.access(folder / name, os.X_OK) for name in programs)


@contextmanager
def _alone(root: Path, progress: Progress) -> Iterator[None]:
    """Hold the cache's build lock; the kernel lets go of it when its holder dies."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(root / _LOCK)
        beat = None
        while True:
            try:
                lock.acquire(timeout=0 if beat is None else _LOCK_POLL_S, poll_interval=0.05)
                break
            except filelock.Timeout:
                if beat is None:
                    beat = Beat(progress, f"engine: waiting for another build{_builder(root)}")
                beat.tick()
    except OSError as error:
        raise BuildError(
            f"{error.filename or root}: {error.strerror}; "
            "the engine's cache must be writable: set FLYTEPERF_CACHE to a folder of yours"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _builder(root: Path) -> str:
    """Who builds, as far as its folder tells."""
    for folder in root.glob(f"{_UNFINISHED}*"):
        return f" (process {folder.name.removeprefix(_UNFINISHED).split('-')[0]})"
    return ""


def _remove_unfinished(root: Path) -> None:
    """Remove what killed builders left; only the lock's holder has one, and it has none yet."""
    for folder in root.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _temporary(root: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{os.getpid()}-", dir=root))


def _settle(temporary: Path, folder: Path, programs: tuple[str, ...]) -> None:
    missing = [name for name in programs if not os.access(temporary / name, os.X_OK)]
    if missing:
        raise BuildError(f"go build: left no {', '.join(missing)}; run: flyteperf engine clean")
    try:
        for path in temporary.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if folder.exists():  # damaged: programs are missing from it
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise BuildError(f"{folder}: {error.strerror}; check the cache's disk") from error


def _prune(root: Path, keep: Collection[Path]) -> None:
    """Keep the builds of Flyte used last; a source checkout under edit makes many."""
    unused = [folder for folder in _unused(root, ("flyte-*",)) if folder not in keep]
    newest_first = sorted(unused, key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in newest_first[KEPT_FLYTES - 1 :]:
        _remove(folder)


def _unused(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    running = {Path(exe).parent for exe in _running_programs()}
    folders = (folder for pattern in patterns for folder in sorted(root.glob(pattern)))
    return [folder for folder in folders if folder.is_dir() and folder.resolve() not in running]


def _running_programs() -> Iterator[str]:
    for process in psutil.process_iter(["exe"]):
        if process.info["exe"]:
            yield process.info["exe"]


def _remove(folder: Path) -> int:
    """Remove a folder; return the bytes of its files. Half removed, it no longer has its name."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    doomed = folder.with_name(f"{_UNFINISHED}0-{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
    return size
