"""Where files of this package lie on a user's machine.

`FLYTEPERF_CACHE` and `FLYTEPERF_STATE` win over the folders that the XDG Base Directory
Specification names; a relative XDG folder is ignored, as that specification asks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "pytest-flyteperf"
_SHARED = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 # the machine's, whatever TMPDIR says


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of what can be made again: the engine's programs. It may not exist yet."""
    return _folder(environ, "FLYTEPERF_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of what runs or ran: one folder per cluster. It may not exist yet."""
    return _folder(environ, "FLYTEPERF_STATE", "XDG_STATE_HOME", ".local/state")


def lock_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of the lock that all who measure on this machine share, whichever user they are.

    `FLYTEPERF_LOCK` names another, for machines that run in parts that do not disturb each other.
    """
    given = environ.get("FLYTEPERF_LOCK")
    if given:
        return Path(given).expanduser().absolute()
    return next((folder for folder in _SHARED if os.access(folder, os.W_OK)), state_dir(environ))


def _folder(environ: Mapping[str, str], own: str, xdg: str, fallback: str) -> Path:
    given = environ.get(own)
    if given:
        return Path(given).expanduser().absolute()
    base = Path(environ.get(xdg) or "")
    return (base if base.is_absolute() else Path.home() / fallback) / _NAME
