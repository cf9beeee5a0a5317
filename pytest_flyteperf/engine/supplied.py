"""Programs of the engine that are already on the machine: etcd and kube-apiserver of envtest."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.golang import version_tuple
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from pytest_flyteperf.progress import Progress

_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")


class Supplied(Frozen, frozen=True):
    """A program found on the machine, fit to stand for the one the engine would build."""

    path: str
    version: str
    """E.g. `v3.6.4`."""
    digest: str
    """SHA-256 of the program."""


def find_supplied(
    wanted: Mapping[str, str], progress: Progress, environ: Mapping[str, str] = os.environ
) -> dict[str, Supplied]:
    """Find programs in KUBEBUILDER_ASSETS, else on PATH, that agree with the wanted minor version.

    `wanted` maps a program's name to the version the engine is pinned to. One of another minor
    version is left alone, and said so if KUBEBUILDER_ASSETS named it.
    """
    found = {}
    assets = environ.get("KUBEBUILDER_ASSETS")
    for name, version in wanted.items():
        named = shutil.which(name, path=assets) if assets else None
        path = named or shutil.which(name, path=environ.get("PATH"))
        if path is None:
            continue
        actual = _version(path)
        if actual is not None and version_tuple(actual)[:2] == version_tuple(version)[:2]:
            digest = file_digest(Path(path))
            found[name] = Supplied(path=str(Path(path).resolve()), version=actual, digest=digest)
        elif named:
            minor = ".".join(version.split(".")[:2])
            progress(
                f"engine: KUBEBUILDER_ASSETS: {named} is {actual or 'of unknown version'}, "
                f"not {minor}; {name} {version} is used"
            )
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(program: str) -> str | None:
    """What `--version` answers, None if it answers nothing of the kind."""
    try:
        done = subprocess.run(
            [program, "--version"], check=True, capture_output=True, timeout=30, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(done.stdout)
    return f"v{version[1]}" if version else None
