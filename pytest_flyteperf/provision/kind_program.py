"""The program `kind`, run to its end while its steps are told."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from pytest_flyteperf.progress import Beat
    from pytest_flyteperf.provision.layout import Layout

_BULLETS = "•✓✗ "
"""What kind puts before its steps."""


def run_kind(
    program: str, arguments: tuple[str, ...], layout: Layout, beat: Beat, most_s: float
) -> None:
    """Run kind for a cluster of ours: its children carry the cluster's marker, so `reap` ends them.

    Raises:
        ClusterError: it failed, with its own words, or took too long.
    """
    what = arguments[0]
    with (
        Path(layout.log("kind")).open("ab") as log,
        subprocess.Popen(
            (program, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
            env=os.environ | {CLUSTER_MARKER: layout.cluster_id},
        ) as process,
    ):
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(most_s, end)
        timer.start()
        said = complaint = ""
        try:
            for raw in process.stderr or ():
                log.write(raw)
                said = raw.decode(errors="replace").strip() or said
                complaint = said if said.startswith("ERROR") else complaint
                beat.tick(said.lstrip(_BULLETS).rstrip())
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
    if late.is_set():
        raise ClusterError(f"kind {what}: took longer than {most_s:.0f} s")
    if code:
        raise ClusterError(f"kind {what}: {complaint or said or f'exit code {code}'}")
