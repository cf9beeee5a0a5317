"""Remove what a cluster created outside of this machine's processes and folders.

Each thing was written down, with the command that removes it, before it was created; the last one
goes first. Only what the journal names is removed.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.journal import Undo, read
from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


def patience_s(directory: str | Path) -> float:
    """Longest that the removals of a journal may take, all together."""
    return sum(entry.patience_s for entry in read(directory) if isinstance(entry, Undo))


def undo(directory: str | Path) -> tuple[str, ...]:
    """Remove all that a journal names; return what it was.

    Raises:
        ClusterError: a removal failed; those before it are done, and all can be tried again.
    """
    entries = [entry for entry in read(directory) if isinstance(entry, Undo)]
    for entry in reversed(entries):
        _remove(entry)
    return tuple(entry.thing for entry in reversed(entries))


def _remove(entry: Undo) -> None:
    by_hand = f"by hand: {' '.join(entry.argv)}"
    try:
        done = subprocess.run(
            entry.argv,
            env=os.environ | entry.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=entry.patience_s,
            check=False,
        )
    except OSError as error:
        raise ClusterError(
            f"{entry.thing}: not removed: {error.strerror}: {entry.argv[0]}; {by_hand}"
        ) from error
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{entry.thing}: not removed within {entry.patience_s:.0f} s; {by_hand}"
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [
            f"exit code {done.returncode}"
        ]
        raise ClusterError(f"{entry.thing}: not removed: {said[-1]}; {by_hand}")
