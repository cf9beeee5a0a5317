"""Writes to the API server, in order for each pod, side by side for different ones."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from pytest_flyteperf.engine.kubelet.api import Api, ApiError, Unreachable
from pytest_flyteperf.engine.kubelet.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_flyteperf.engine.kubelet.kubeconfig import Endpoint

_log = logging.getLogger(__name__)

CONNECTIONS = 4
"""Enough for two cores: the API server answers a write in a few milliseconds, most of it fsync."""
_LOUD_AFTER = 5


class Write(msgspec.Struct, frozen=True):
    """One request; `done` is called in the writer's thread with the answer or the refusal."""

    uid: str
    """Writes of one pod are made one after another."""
    method: str
    path: str
    body: Any
    content_type: str
    done: Callable[[bytes | ApiError], None]


class Writer:
    """A few threads, each with a connection of its own; failed requests are made again.

    An API server that is away delays a write and never loses it.
    """

    def __init__(self, endpoint: Endpoint, connections: int = CONNECTIONS) -> None:
        self._queues = [queue.SimpleQueue[Write | None]() for _ in range(connections)]
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._work, args=(Api(endpoint), jobs), name=f"writer-{n}", daemon=True
            )
            for n, jobs in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, write: Write) -> None:
        """Queue a write behind the others of its pod."""
        self._queues[crc32(write.uid.encode()) % len(self._queues)].put(write)

    def close(self, timeout_s: float) -> None:
        """Carry out what is queued, as far as the time allows and the API server answers."""
        self._closing.set()
        for jobs in self._queues:
            jobs.put(None)
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _work(self, api: Api, jobs: queue.SimpleQueue[Write | None]) -> None:
        while (write := jobs.get()) is not None:
            answer = self._carry_out(api, write)
            if answer is not None:
                write.done(answer)
        api.close()

    def _carry_out(self, api: Api, write: Write) -> bytes | ApiError | None:
        backoff = Backoff()
        attempt = 0
        while True:
            try:
                return api.request(write.method, write.path, write.body, write.content_type)
            except ApiError as error:
                if not error.passing:
                    return error
                failure: Exception = error
            except Unreachable as error:
                failure = error
            if self._closing.is_set():
                _log.warning("%s %s given up on closing: %s", write.method, write.path, failure)
                return None
            attempt += 1
            if attempt == _LOUD_AFTER:
                _log.warning("%s %s fails, trying on: %s", write.method, write.path, failure)
            # The first failure is most often a kept connection that the server has closed.
            if attempt > 1:
                self._closing.wait(backoff.pause_s())
