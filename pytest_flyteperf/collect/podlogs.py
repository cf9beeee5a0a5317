"""What a repeat's pods printed, where the deployment keeps it as files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from pytest_flyteperf.collect.watching import Received

MOST_BYTES = 65_536
"""How much of a container's log is kept: its end."""


def pod_logs(folder: str | None, events: Iterable[Received]) -> bytes:
    """Return a JSON line with pod, container and log for each container that printed something.

    `folder` holds `<namespace>_<pod>_<container>.log`, as a kubelet names them; the pods are those
    that appeared among these watch events.
    """
    if folder is None:
        return b""
    pods = {
        (metadata["namespace"], metadata["name"])
        for event in events
        if event.raw.startswith(b'{"type":"ADDED"')
        for metadata in [json.loads(event.raw)["object"]["metadata"]]
    }
    lines = []
    for namespace, pod in sorted(pods):
        for path in sorted(Path(folder).glob(f"{namespace}_{pod}_*.log")):
            text = _end(path).decode(errors="replace")
            if text:
                container = path.stem.removeprefix(f"{namespace}_{pod}_")
                lines.append({"pod": pod, "container": container, "log": text})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            return file.read()
    except FileNotFoundError:
        # Old logs are pruned by whoever writes them.
        return b""
