"""Lists and watches the pods that are not finished."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from pytest_flyteperf.engine.kubelet.api import GONE, Api, ApiError, Unreachable
from pytest_flyteperf.engine.kubelet.backoff import Backoff
from pytest_flyteperf.engine.kubelet.pods import Metadata, Pod, decode_list, decode_pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_flyteperf.engine.kubelet.kubeconfig import Endpoint

_log = logging.getLogger(__name__)

UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"
"""A pod that finishes leaves this selection, which the watch reports as DELETED."""
_PAGE = 500
_WATCH_S = 300
"""After this the API server closes the watch, which is then resumed."""
_CLOSE_S = 2
_SILENCE_S = _WATCH_S + 30


class Listed(msgspec.Struct, frozen=True):
    """All unfinished pods of the cluster at one moment."""

    pods: tuple[Pod, ...]


class Changed(msgspec.Struct, frozen=True):
    """A pod was added or modified."""

    pod: Pod


class Left(msgspec.Struct, frozen=True):
    """A pod finished or was removed."""

    pod: Pod


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Failure(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Bookmark(msgspec.Struct, frozen=True):
    """An empty pod with a version, null where a pod has lists."""

    metadata: Metadata


_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_failure = msgspec.json.Decoder(_Failure).decode


class PodWatch(threading.Thread):
    """Reports every change of every unfinished pod, in order, and a whole list when it must.

    Resumes a closed watch from the last version seen; lists anew when the API server no longer has
    that version (410) or does not know it.
    """

    def __init__(
        self, endpoint: Endpoint, report: Callable[[Listed | Changed | Left], None]
    ) -> None:
        super().__init__(name="pod-watch", daemon=True)
        self._api = Api(endpoint)
        self._report = report
        self._version = ""
        self._backoff = Backoff()
        self._closed = threading.Event()

    def run(self) -> None:
        """List, then watch, for ever."""
        while not self._closed.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
                # A server that closes at once, every time, must not be asked in a tight loop.
                pause_s = self._backoff.pause_s()
            except ApiError as error:
                pause_s = self._refused(error)
            except (*Unreachable, msgspec.DecodeError) as error:
                if self._closed.is_set():
                    return
                pause_s = self._backoff.pause_s()
                _log.warning("watch of pods broke, resuming in %.2f s: %s", pause_s, error)
            self._closed.wait(pause_s)

    def close(self) -> None:
        """Break off and end."""
        self._closed.set()
        self._api.interrupt()
        self.join(_CLOSE_S)

    def _refused(self, error: ApiError) -> float:
        if error.code == GONE:
            _log.info("watch of pods is too old, listing anew: %s", error)
            self._version = ""
            return 0
        pause_s = self._backoff.pause_s()
        _log.warning("watch of pods refused, again in %.2f s: %s", pause_s, error)
        if not error.passing:
            self._version = ""
        return pause_s

    def _list(self) -> None:
        pods: list[Pod] = []
        more = ""
        while True:
            query = {"fieldSelector": UNFINISHED, "limit": _PAGE, "continue": more}
            page = decode_list(self._api.request("GET", f"/api/v1/pods?{urlencode(query)}"))
            pods += page.items
            more = page.metadata.continue_
            if not more:
                break
        self._version = page.metadata.resource_version
        self._report(Listed(tuple(pods)))

    def _watch(self) -> None:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "fieldSelector": UNFINISHED,
            "resourceVersion": self._version,
            "timeoutSeconds": _WATCH_S,
        }
        self._api.close()
        for line in self._api.stream(f"/api/v1/pods?{urlencode(query)}", _SILENCE_S):
            event = _decode_event(line)
            if event.type == "ERROR":
                failure = _decode_failure(event.object)
                raise ApiError(failure.code, failure.message)
            if event.type == "BOOKMARK":
                self._version = _decode_bookmark(event.object).metadata.resource_version
            else:
                pod = decode_pod(event.object)
                self._report(Left(pod) if event.type == "DELETED" else Changed(pod))
                self._version = pod.metadata.resource_version
            self._backoff.reset()
