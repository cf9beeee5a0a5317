"""Watches that run in the background and keep every event as the bytes that came.

A watch is opened before the first submission and lives for the session, so that no event of a
repeat is missed and none costs more than a list entry while it is measured.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import GONE, KubeApi, KubeError, Watch

RETRY_S = 0.2
"""Pause before a lost connection is tried again."""
GIVE_UP_S = 30.0
"""How long an API server may be unreachable before the watch counts as broken."""


class Received(NamedTuple):
    """One watch event as it came."""

    unix_s: float
    """When its last byte was read, by this process's clock."""
    raw: bytes
    """The JSON line, without its newline."""


class Watcher:
    """A background watch of one collection: events in order, kept until they are dropped.

    Positions count events from the start of the watch, so that a slice between two positions is
    what came between two moments. After the API server closed the connection the watch resumes
    behind the last event; if that version is compacted away it starts anew and counts a gap.
    """

    def __init__(
        self,
        api: KubeApi,
        path: str,
        bell: threading.Condition,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._path = path
        self._bell = bell
        self._clock = clock
        self._events: list[Received] = []
        self._dropped = 0
        self._closed = threading.Event()
        self._watch: Watch | None = None
        self._broken: KubeError | None = None
        self.gaps = 0
        """How often events may have been lost because the server had compacted them away."""
        self._version = self._latest_version()
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def __enter__(self) -> Self:
        self._open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        if self._watch is not None:
            self._watch.close()
        self._thread.join(timeout=5)

    @property
    def position(self) -> int:
        """How many events have come so far."""
        return self._dropped + len(self._events)

    def since(self, position: int, until: int | None = None) -> list[Received]:
        """The events from one position up to another, or up to now."""
        end = None if until is None else until - self._dropped
        return self._events[max(0, position - self._dropped) : end]

    def drop(self, position: int) -> None:
        """Forget the events before a position."""
        count = max(0, min(position - self._dropped, len(self._events)))
        del self._events[:count]
        self._dropped += count

    def check(self) -> None:
        """Make sure that the watch still runs.

        Raises:
            ClusterError: the API server stayed unreachable or refused the watch.
        """
        if self._broken is not None:
            raise ClusterError(f"the watch of {self._path} ended: {self._broken}")

    def _latest_version(self) -> str:
        listed = self._api.list(self._path, query={"limit": "1"})
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def _open(self) -> None:
        self._watch = self._api.open_watch(self._path, self._version)

    def _run(self) -> None:
        lost_at: float | None = None
        while not self._closed.is_set():
            try:
                if self._watch is None:
                    self._open()
                lost_at = None
                self._read()
            except KubeError as error:
                if error.status == GONE:
                    self._start_anew()
                elif lost_at is None:
                    lost_at = time.monotonic()
                elif time.monotonic() - lost_at > GIVE_UP_S:
                    self._report_broken(error)
                    return
                self._closed.wait(RETRY_S)

    def _read(self) -> None:
        watch, self._watch = self._watch, None
        if watch is None:
            return
        last: bytes | None = None
        try:
            self._watch = watch
            for line in watch:
                unix_s = self._clock()
                if line.startswith(b'{"type":"ERROR"'):
                    raise _watch_error(line)
                last = line
                if line.startswith(b'{"type":"BOOKMARK"'):
                    continue
                with self._bell:
                    self._events.append(Received(unix_s, line))
                    self._bell.notify_all()
        finally:
            self._watch = None
            watch.close()
            if last is not None:
                self._version = json.loads(last)["object"]["metadata"]["resourceVersion"]

    def _start_anew(self) -> None:
        try:
            self._version = self._latest_version()
        except KubeError:
            # The next attempt to open the watch fails for the same reason and is counted there.
            return
        with self._bell:
            self.gaps += 1
            self._bell.notify_all()

    def _report_broken(self, error: KubeError) -> None:
        with self._bell:
            self._broken = error
            self._bell.notify_all()


def ended(received: Received, name: str) -> bool:
    """Tell whether an event shows the end of the execution of this name.

    FlytePropeller labels a finished FlyteWorkflow `termination-status: terminated` in its last
    write; the object of a terminated execution is deleted. Only lines that can be either are
    parsed.
    """
    if name.encode() not in received.raw:
        return False
    if b'"terminated"' not in received.raw and b'"DELETED"' not in received.raw:
        return False
    event: dict[str, Any] = json.loads(received.raw)
    metadata = event["object"]["metadata"]
    if metadata["name"] != name:
        return False
    labels = metadata.get("labels") or {}
    return event["type"] == "DELETED" or labels.get("termination-status") == "terminated"


def _watch_error(line: bytes) -> KubeError:
    status = json.loads(line)["object"]
    return KubeError(str(status.get("message", "watch error")), status.get("code"))
