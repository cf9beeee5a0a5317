"""What a repeat's containers left as files, where the deployment keeps any: logs, timers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pytest_flyteperf.collect.watching import Received
from pytest_flyteperf.engine.forkserver import protocol

MOST_BYTES = 65_536
"""How much of a container's log is kept: its end."""
LOG = ".log"


def pod_logs(folder: str | None, events: Iterable[Received]) -> bytes:
    """Return a JSON line with pod, container and log for each container that printed something.

    `folder` holds `<namespace>_<pod>_<container>.log`, as a kubelet names them; the pods are those
    that appeared among these watch events.
    """
    lines = (
        {"pod": pod, "container": container, "log": text}
        for pod, container, path in _files(folder, events, LOG)
        if (text := _end(path).decode(errors="replace"))
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def task_steps(folder: str | None, events: Iterable[Received]) -> bytes:
    """Return a JSON line for each container whose process told flytekit's own timers.

    A container that was killed, or does not run flytekit, tells none.
    """
    lines = []
    for pod, container, path in _files(folder, events, protocol.STEPS):
        try:
            told = msgspec.json.decode(path.read_bytes(), type=protocol.Steps)
        except (FileNotFoundError, msgspec.DecodeError):
            # Pruned meanwhile, or cut off by the end of the process.
            continue
        about = {"pod": pod, "container": container}
        lines.append(msgspec.json.encode(about | msgspec.to_builtins(told)) + b"\n")
    return b"".join(lines)


def _files(
    folder: str | None, events: Iterable[Received], suffix: str
) -> Iterator[tuple[str, str, Path]]:
    """Pod, container and file, in the order of the pods' names."""
    if folder is None:
        return
    pods = {
        (metadata["namespace"], metadata["name"])
        for event in events
        if event.raw.startswith(b'{"type":"ADDED"')
        for metadata in [json.loads(event.raw)["object"]["metadata"]]
    }
    for namespace, pod in sorted(pods):
        before = f"{namespace}_{pod}_"
        for path in sorted(Path(folder).glob(f"{before}*{suffix}")):
            yield pod, path.name.removeprefix(before).removesuffix(suffix), path


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            return file.read()
    except FileNotFoundError:
        # Old logs are pruned by whoever writes them.
        return b""
