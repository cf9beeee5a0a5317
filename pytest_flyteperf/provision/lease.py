"""One repeat at a time on a cluster that others may use too: a Lease in it.

The holder renews it while it measures. A holder that was killed renews no more, and after the
Lease's duration, by the clock of whoever waits, another takes its place: clocks are never compared
(as client-go's leader election does it).
"""

from __future__ import annotations

import os
import platform
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from pytest_flyteperf.errors import BusyError, ClusterError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.progress import Beat, Progress, silent

NAME = "pytest-flyteperf"
DURATION_S = 15
"""How long a Lease lives without renewal."""
RENEW_S = 5.0
POLL_S = 1.0


class LeaseLock:
    """The cluster's Lease, entered for a repeat or a block of repeats, again and again.

    Args:
        kubeconfig: of the cluster.
        namespace: where the Lease lies: that of the workflows, so that runs which share it meet.
        who: what is measured; shown to whoever is refused or waits.
        wait_s: how long to wait for another holder before giving up.
        progress: hears of waits longer than two seconds.
    """

    def __init__(
        self,
        kubeconfig: str,
        namespace: str,
        who: str,
        *,
        wait_s: float = 0.0,
        progress: Progress = silent,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._holder = f"{who} ({platform.node()}, pid {os.getpid()})"
        self._wait_s = wait_s
        self._progress = progress
        self._ended = threading.Event()
        self._lost: str | None = None

    def __enter__(self) -> Self:
        """Take the Lease.

        Raises:
            BusyError: somebody else holds it, and did so all the time that was to be waited.
            KubeError: the API server refused.
        """
        self._api = KubeApi.from_kubeconfig(self._kubeconfig)
        try:
            self._version = self._acquire()
        except BaseException:
            self._api.close()
            raise
        self._ended.clear()
        self._lost = None
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the Lease back.

        Raises:
            ClusterError: it was lost meanwhile: another may have measured at the same time.
        """
        self._ended.set()
        self._renewing.join()
        if self._lost is None:
            # One that cannot be given back ends by itself.
            with suppress(KubeError):
                self._api.delete(
                    f"{self._path}/{NAME}",
                    body={"preconditions": {"resourceVersion": self._version}},
                )
        self._api.close()
        if self._lost is not None and error is None:
            raise ClusterError(self._lost)

    def _acquire(self) -> str:
        deadline = time.monotonic() + self._wait_s
        seen: tuple[str, float] | None = None
        beat: Beat | None = None
        while True:
            present = self._read()
            now = time.monotonic()
            if present is None:
                version = self._write(None)
            else:
                found: str = present["metadata"]["resourceVersion"]
                if seen is None or seen[0] != found:
                    seen = (found, now)
                holder = present["spec"].get("holderIdentity")
                lives_s = present["spec"].get("leaseDurationSeconds") or DURATION_S
                expired = not holder or now - seen[1] > lives_s
                version = self._write(found) if expired else None
            if version is not None:
                return version
            holder = (present or {"spec": {}})["spec"].get("holderIdentity") or "another run"
            if now > deadline:
                raise BusyError(
                    f"{holder} is measuring on this cluster; wait for it to end, or give "
                    "--flyteperf-wait a number of seconds"
                )
            beat = beat or Beat(self._progress, f"waiting for {holder} to end its repeat")
            beat.tick()
            time.sleep(min(POLL_S, max(0.01, deadline - now)))

    def _read(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.request("GET", f"{self._path}/{NAME}")
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def _write(self, version: str | None) -> str | None:
        """Create the Lease, or replace that version of it; None if another was faster."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": NAME} | ({} if version is None else {"resourceVersion": version})
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": DURATION_S,
                "renewTime": now,
            },
        }
        method, path = ("POST", self._path) if version is None else ("PUT", f"{self._path}/{NAME}")
        try:
            written: str = self._api.request(method, path, body=body)["metadata"]["resourceVersion"]
        except KubeError as error:
            if error.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                return None
            raise
        return written

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(RENEW_S):
            try:
                version = self._write(self._version)
            except KubeError as error:
                if time.monotonic() - renewed > DURATION_S:
                    self._lost = f"the Lease {NAME} could not be renewed: {error}"
                    return
                continue
            if version is None:
                self._lost = f"the Lease {NAME} was taken by another run while this one measured"
                return
            self._version = version
            renewed = time.monotonic()
