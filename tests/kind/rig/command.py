"""Programs that the rig runs, within the time that it has; what fails is told in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

LIMIT = "KIND_RIG_SECONDS"
"""Variable: seconds that making the rig may take, from the first import of this module."""
USUAL_LIMIT_S = 1500.0
_DEADLINE = time.monotonic() + float(os.environ.get(LIMIT) or USUAL_LIMIT_S)
UNDO_S = 60.0
_MOST_SAID = 300
"""Characters of a program's last words."""


class RigError(Exception):
    """The rig cannot be made on this machine: what failed, and how."""


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    most_s: float | None = None,
    undoes: bool = False,
) -> str:
    """Run a program to its end; return what it printed. One that undoes may run at any time.

    Raises:
        RigError: it is missing or fails, or takes longer than `most_s` or than the rig may.
    """
    name = Path(argv[0]).name
    left = UNDO_S if undoes else _DEADLINE - time.monotonic()
    limit = left if most_s is None else min(left, most_s)
    if limit <= 0:
        raise RigError(f"no time left for {name} ({LIMIT})")
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise RigError(f"{argv[0]}: {error.strerror}") from None
    with process:
        try:
            printed, complaints = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise RigError(f"{name} took longer than {limit:.0f} s") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        said = complaints.decode(errors="replace").strip().splitlines() or [""]
        how = f"{name} ended with {process.returncode}"
        raise RigError(f"{how}: {said[-1].strip()[:_MOST_SAID]}")
    return printed.decode(errors="replace")
