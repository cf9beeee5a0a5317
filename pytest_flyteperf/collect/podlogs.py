"""What a repeat's pods printed, where the deployment keeps it as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_flyteperf.collect.watching import Received


def pod_logs(folder: str | None, events: Iterable[Received]) -> Iterator[tuple[str, bytes]]:
    """Yield the logs of the pods that appeared among these watch events, by file name.

    A log belongs to the pod whose name its file's name begins with.
    """
    if folder is None or not Path(folder).is_dir():
        return
    names = {
        event["object"]["metadata"]["name"]
        for event in (json.loads(e.raw) for e in events if e.raw.startswith(b'{"type":"ADDED"'))
    }
    for path in sorted(Path(folder).glob("*.log")):
        if any(path.stem == name or path.stem.startswith(f"{name}.") for name in names):
            yield path.stem, path.read_bytes()
