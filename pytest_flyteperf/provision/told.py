"""Programs that take minutes, run to their end while what they say is told."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_flyteperf.progress import Beat

_BULLETS = "•✓✗ "
"""What kind puts before its steps."""
_MOST_SAID = 300
"""Characters of a program's own words."""


def run_told(  # noqa: PLR0913 # a program, and how it is watched
    argv: tuple[str, ...],
    *,
    what: str,
    log: Path,
    beat: Beat,
    most_s: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program; what it says goes to the end of `log`, line by line to `beat`.

    Returns:
        Its last line.

    Raises:
        ClusterError: it does not start, fails, with its own words, or takes longer than `most_s`.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
        )
    except OSError as error:
        raise ClusterError(f"{argv[0]}: {error.strerror}; reinstall it") from None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(most_s, end)
    said = complaint = ""
    with log.open("ab") as file, process:
        timer.start()
        try:
            for raw in process.stdout or ():
                file.write(raw)
                said = raw.decode(errors="replace").strip() or said
                complaint = said if said.startswith("ERROR") else complaint
                beat.tick(said.lstrip(_BULLETS).rstrip())
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
    if late.is_set():
        raise ClusterError(f"{what}: took longer than {most_s:.0f} s")
    if code:
        words = complaint or said or f"exit code {code}"
        raise ClusterError(f"{what}: {words[:_MOST_SAID]}")
    return said
