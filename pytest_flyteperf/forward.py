"""A port of this machine that leads to a service within a cluster, through its API server.

As `kubectl port-forward` does it, with one difference: each connection goes to a pod that is ready
then, so that a Flyte that was restarted is reached again.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec

from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_flyteperf.model import Deployment

CHUNK = 1 << 16
PROTOCOL = "v4.channel.k8s.io"
DATA = 0
"""Channel of the data."""


class Service(Frozen, frozen=True):
    """A port of a service of Kubernetes'."""

    namespace: str
    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}"

    @property
    def proxy(self) -> str:
        """Path of the API server's that leads to it by HTTP."""
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.name}:{self.port}/proxy"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `NAMESPACE/SERVICE:PORT`; None for what is something else.

        >>> str(Service.parse("flyte/flyteadmin:81")), Service.parse("localhost:81")
        ('flyte/flyteadmin:81', None)
        """
        namespace, slash, rest = text.partition("/")
        name, _, port = rest.partition(":")
        if not (slash and namespace and name and port.isdecimal()):
            return None
        return cls(namespace=namespace, name=name, port=int(port))


class Forward:
    """Listens on loopback while in the block; `endpoint` is where."""

    def __init__(self, kubeconfig: str, service: Service, port: int = 0) -> None:
        """Prepare to listen on a port of this machine, any free one where it is 0."""
        self._kubeconfig = kubeconfig
        self._service = service
        self._port = port
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        """Listen, once a first connection could be opened.

        Raises:
            DeploymentError: there is no such service, none of its pods is ready, the API server
                does not let us through, or the port is taken.
        """
        self._api = KubeApi.from_kubeconfig(self._kubeconfig)
        try:
            self._tunnel().close()
            self._listener = _listen(self._port, self._service)
        except BaseException:
            self._api.close()
            raise
        self._thread = threading.Thread(target=self._serve, name=f"to {self._service}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        self._listener.close()
        self._thread.join()
        for each in tuple(self._open):
            _end(each)
        self._api.close()

    @property
    def endpoint(self) -> str:
        """host:port of this machine."""
        return "{}:{}".format(*self._listener.getsockname())

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._open.add(near)
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Carry bytes both ways until either side has ended."""
        # Who connected sees its connection closed, and tries again.
        with near, suppress(DeploymentError), closing(self._tunnel()) as far:
            far.join(near)
        self._open.discard(near)

    def _tunnel(self) -> _Tunnel:
        """A connection to a pod of the service, which the API server carries in a WebSocket."""
        pod, port = target(self._api, self._service)
        path = f"/api/v1/namespaces/{self._service.namespace}/pods/{pod}/portforward?ports={port}"
        try:
            return _Tunnel(self._api.open_websocket(path, PROTOCOL))
        except KubeError as error:
            raise DeploymentError(
                f"{self._service}: no connection to pod {pod} ({error}); "
                "the kubeconfig's user needs to create pods/portforward, or give an endpoint"
            ) from None


class _Tunnel:
    """One forwarded connection: frames of a channel's number and its bytes.

    Channel 0 has data, channel 1 what went wrong; the first frame of each names the port.
    """

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._begun: set[int] = set()

    def close(self) -> None:
        self._websocket.shutdown()

    def join(self, near: socket.socket) -> None:
        """Carry bytes to and from a connection on this machine; returns when either has ended."""
        from websocket import WebSocketException

        far = self._websocket.sock
        with selectors.DefaultSelector() as ready, suppress(OSError, WebSocketException):
            ready.register(near, selectors.EVENT_READ)
            ready.register(far, selectors.EVENT_READ)
            while True:
                # TLS may have decrypted more than was asked for: no event tells of that.
                waiting = isinstance(far, ssl.SSLSocket) and far.pending() > 0
                events = {key.fileobj for key, _ in ready.select(0 if waiting else None)}
                if near in events:
                    sent = near.recv(CHUNK)
                    if not sent:
                        return
                    self._websocket.send_binary(b"\0" + sent)
                if waiting or far in events:
                    received = self._receive()
                    if received is None:
                        return
                    near.sendall(received)

    def _receive(self) -> bytes | None:
        """Data of the next frame, which may be none; None at the end."""
        from websocket import ABNF

        opcode, frame = self._websocket.recv_data()
        if opcode != ABNF.OPCODE_BINARY or not frame:
            return None
        channel = frame[0]
        if channel not in self._begun:
            self._begun.add(channel)
            return b""
        return bytes(frame[1:]) if channel == DATA else None


@contextmanager
def reached(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment with an `admin_endpoint` that this process reaches while in the block.

    Raises:
        DeploymentError: one of its services is none, or cannot be reached.
    """
    kubeconfig = deployment.cluster.kubeconfig
    with ExitStack() as forwards:
        for text, port in deployment.forwards.items():
            further = Service.parse(text)
            if further is None:
                raise DeploymentError(f"forwards: {text!r} is no NAMESPACE/SERVICE:PORT")
            forwards.enter_context(Forward(kubeconfig, further, port))
        service = Service.parse(deployment.admin_service or "")
        if service is not None:
            endpoint = forwards.enter_context(Forward(kubeconfig, service)).endpoint
            deployment = msgspec.structs.replace(deployment, admin_endpoint=endpoint)
        yield deployment


def _listen(port: int, service: Service) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise DeploymentError(
            f"port {port}, which leads to {service}: {error.strerror}; "
            "end the other run that uses this Flyte"
        ) from None


def target(api: KubeApi, service: Service) -> tuple[str, int]:
    """Name of a ready pod behind a service, and the pod's port that the service's stands for.

    Raises:
        DeploymentError: there is no such service or port, or no ready pod.
    """
    path = f"/api/v1/namespaces/{service.namespace}"
    try:
        spec = api.request("GET", f"{path}/services/{service.name}")["spec"]
        chosen = ",".join(f"{k}={v}" for k, v in (spec.get("selector") or {}).items())
        pods = api.list(f"{path}/pods", query={"labelSelector": chosen})["items"] if chosen else ()
    except KubeError as error:
        raise DeploymentError(f"{service}: {error}") from None
    wanted = next((p.get("targetPort", p["port"]) for p in spec["ports"] if _is(p, service)), None)
    if wanted is None:
        known = ", ".join(str(p["port"]) for p in spec["ports"])
        raise DeploymentError(f"{service}: the service has no such port, but {known}")
    for pod in pods:
        port = wanted if isinstance(wanted, int) else _named(pod, wanted)
        if _is_ready(pod) and port is not None:
            return pod["metadata"]["name"], port
    raise DeploymentError(f"{service}: no pod behind it is ready; see kubectl get pods")


def _is(port: Mapping[str, Any], service: Service) -> bool:
    return bool(port["port"] == service.port)


def _named(pod: Mapping[str, Any], name: str) -> int | None:
    ports: Sequence[Mapping[str, Any]] = [
        port for c in pod["spec"]["containers"] for port in c.get("ports") or ()
    ]
    return next((int(p["containerPort"]) for p in ports if p.get("name") == name), None)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
