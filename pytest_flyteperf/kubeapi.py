"""The Kubernetes API over plain HTTP: a kubeconfig, requests, and watches that hand over raw lines.

The `kubernetes` package takes 0.7 s to import and turns every event into objects. A measuring
client wants neither: it reads lines, notes when they came, and parses them after the end.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
import yaml

from pytest_flyteperf.errors import ClusterError

GONE = HTTPStatus.GONE
"""HTTP status of a watch whose resource version the API server has compacted away."""


METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""What to accept for a list without the objects' content."""
REQUEST_TIMEOUT_S = 20.0
"""An API server that has lost its etcd holds requests for a minute; who measures has none."""
DELETE_TIMEOUT_S = 120.0
"""Long enough to delete the pods of the widest map in one request."""


_PATIENCE = urllib3.Retry(
    total=None,
    connect=0,
    read=0,
    redirect=0,
    other=0,
    status=20,
    status_forcelist=(HTTPStatus.TOO_MANY_REQUESTS,),
    allowed_methods=None,
    raise_on_status=False,
)
"""The API server asks to come again later (Retry-After) while a new resource's storage starts."""


class KubeError(ClusterError):
    """The API server refused a request or could not be reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status, or None if there was no answer."""


@dataclass(frozen=True)
class Access:
    """How to reach an API server: what the current context of a kubeconfig says."""

    server: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str | None = None
    """PEM text of the authorities that the server's certificate is checked against."""
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    insecure: bool = False
    server_name: str | None = None

    @classmethod
    def from_kubeconfig(cls, path: str | Path) -> Self:
        """Read the current context of a kubeconfig.

        Tokens, client certificates, passwords and exec plugins (EKS, GKE) are understood.

        Raises:
            ClusterError: the file is missing, not a kubeconfig, or its exec plugin fails.
        """
        path = Path(path)
        try:
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
            context = _named(config, "context", config["current-context"])
            cluster = _named(config, "cluster", context["cluster"])
            user = _named(config, "user", context["user"]) if context.get("user") else {}
            server = cluster["server"]
        except OSError as error:
            raise ClusterError(f"{path}: {error.strerror}; give a readable kubeconfig") from None
        except (KeyError, TypeError, StopIteration, ValueError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0] if str(error) else "no such entry"
            raise ClusterError(f"{path}: not a usable kubeconfig ({reason})") from None
        credentials = {**user, **_exec_credentials(user, path)}
        return cls(
            server=server.rstrip("/"),
            headers=_authorization(credentials, path.parent),
            ca=_inline(cluster, "certificate-authority-data"),
            ca_file=_file(cluster, "certificate-authority", path.parent),
            client_certificate=_material(credentials, "client-certificate", path.parent),
            client_key=_material(credentials, "client-key", path.parent),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            server_name=cluster.get("tls-server-name"),
        )


class KubeApi:
    """One API server: requests with JSON answers, and watches with raw lines.

    Safe to use from several threads; close it to drop its connections.
    """

    def __init__(self, access: Access, *, connections: int = 8) -> None:
        self._server = access.server
        self._access = access
        self._credentials: list[int] = []
        self._pair: tuple[str | None, str | None] = (None, None)
        options: dict[str, Any] = {"maxsize": connections, "headers": dict(access.headers)}
        if access.server.startswith("https:"):
            options["cert_reqs"] = "CERT_NONE" if access.insecure else "CERT_REQUIRED"
            options["ca_cert_data"] = access.ca
            options["ca_certs"] = access.ca_file
            self._pair = (
                self._in_memory(access.client_certificate),
                self._in_memory(access.client_key),
            )
            options["cert_file"], options["key_file"] = self._pair
            if access.server_name:
                options["server_hostname"] = access.server_name
                options["assert_hostname"] = access.server_name
        self._pool = urllib3.PoolManager(**options)

    @classmethod
    def from_kubeconfig(cls, path: str | Path) -> Self:
        """Reach the cluster of a kubeconfig's current context."""
        return cls(Access.from_kubeconfig(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop idle connections and forget credentials."""
        self._pool.clear()
        while self._credentials:
            os.close(self._credentials.pop())

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request and return the JSON of its answer.

        Raises:
            KubeError: no answer, or one with a status of 400 and above.
        """
        encoded = None if body is None else json.dumps(body).encode()
        data = self.raw(path, method=method, query=query, body=encoded, content_type=content_type)
        return json.loads(data) if data else None

    def raw(  # noqa: PLR0913 # a request has that many parts
        self,
        path: str,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """Send one request and return its answer as it came: a log, a page behind the proxy.

        Raises:
            KubeError: no answer, or one with a status of 400 and above.
        """
        try:
            answer = self._pool.request(
                method,
                self._url(path, query),
                body=body,
                headers=self._headers(content_type if body is not None else None, accept),
                timeout=DELETE_TIMEOUT_S if method == "DELETE" else REQUEST_TIMEOUT_S,
                retries=_PATIENCE,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self._server, error) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _refused(method, path, answer.status, answer.data)
        return answer.data

    def list(self, path: str, *, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """List a collection: `items` and `metadata.resourceVersion`, where a watch can start."""
        answer: dict[str, Any] = self.request("GET", path, query=query)
        return answer

    def names(self, path: str, *, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """List a collection's metadata alone: the objects may be large."""
        answer: dict[str, Any] = json.loads(self.raw(path, query=query, accept=METADATA))
        return answer

    def patch(self, path: str, body: object, *, kind: str = "merge-patch") -> Any:
        """Patch an object or its subresource; `kind` as in `application/<kind>+json`."""
        return self.request("PATCH", path, body=body, content_type=f"application/{kind}+json")

    def delete(
        self, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> Any:
        """Delete an object, or the objects of a collection that a selector names.

        `body` holds DeleteOptions, e.g. the version that is meant.
        """
        return self.request("DELETE", path, query=query, body=body)

    def open_watch(
        self, path: str, resource_version: str, *, query: Mapping[str, str] | None = None
    ) -> Watch:
        """Start to watch a collection behind a resource version.

        Raises:
            KubeError: no answer, or a refusal; its status is `GONE` if the version is too old.
        """
        question = {
            **(query or {}),
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
        }
        try:
            answer = self._pool.request(
                "GET",
                self._url(path, question),
                headers=self._headers(None),
                timeout=urllib3.Timeout(connect=30, read=None),
                retries=False,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self._server, error) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            data = answer.data
            answer.release_conn()
            raise _refused("WATCH", path, answer.status, data)
        return Watch(answer)

    def open_websocket(self, path: str, protocol: str) -> Any:
        """Connect to what streams: a `websocket.WebSocket` of the package websocket-client.

        Raises:
            KubeError: no answer, or a refusal.
        """
        from websocket import WebSocketBadStatusException, WebSocketException, create_connection

        try:
            connection = create_connection(
                self._server.replace("http", "ws", 1) + path,
                header=[f"{name}: {value}" for name, value in self._access.headers.items()],
                subprotocols=[protocol],
                sslopt=self._tls() if self._server.startswith("https:") else {},
                suppress_origin=True,
                timeout=REQUEST_TIMEOUT_S,
            )
        except WebSocketBadStatusException as error:
            raise _refused("CONNECT", path, error.status_code, error.resp_body or b"") from None
        except (OSError, WebSocketException) as error:
            raise _unreachable(self._server, error) from None
        connection.settimeout(None)
        return connection

    def _tls(self) -> dict[str, Any]:
        """How to speak TLS, as websocket-client takes it."""
        context = ssl.create_default_context(cafile=self._access.ca_file, cadata=self._access.ca)
        if self._access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = self._pair
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        name = self._access.server_name
        return {"context": context} | ({"server_hostname": name} if name else {})

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self._server}{path}" + (f"?{urlencode(query)}" if query else "")

    def _headers(
        self, content_type: str | None, accept: str = "application/json"
    ) -> dict[str, str]:
        headers = {**self._pool.headers, "Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _in_memory(self, text: str | None) -> str | None:
        """Path of a file without a name: OpenSSL reads certificates and keys from files alone."""
        if text is None:
            return None
        descriptor = os.memfd_create("credentials")
        self._credentials.append(descriptor)
        os.write(descriptor, text.encode())
        return f"/proc/self/fd/{descriptor}"


class Watch:
    """One open watch: an iterator of raw lines, each an event, as they come."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        """Hand over each line, without its newline, as soon as it has come.

        Ends quietly when the server closes the watch, which it does every hour or so.
        """
        rest = b""
        try:
            for chunk in self._answer.stream(1 << 16, decode_content=True):
                lines = (rest + chunk).split(b"\n")
                rest = lines.pop()
                yield from lines
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
            # A connection cut in mid-read, by the server or by close(): the watch is over.
            return

    def close(self) -> None:
        """End the watch, also from another thread that waits for its next line."""
        shutdown = getattr(self._answer, "shutdown", None)
        if shutdown is not None:
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                shutdown()
        self._answer.close()


def _unreachable(server: str, error: Exception) -> KubeError:
    return KubeError(f"{server}: the Kubernetes API does not answer ({_first_line(error)})")


def _refused(method: str, path: str, status: int, data: bytes) -> KubeError:
    try:
        message = json.loads(data).get("message", "")
    except (ValueError, AttributeError):
        message = data[:200].decode(errors="replace")
    return KubeError(f"{method} {path}: {status} {' '.join(str(message).split())}", status)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e[kind] for e in config[f"{kind}s"] if e["name"] == name)
    return found


def _inline(entry: Mapping[str, Any], key: str) -> str | None:
    data = entry.get(key)
    return base64.b64decode(data).decode() if data else None


def _file(entry: Mapping[str, Any], key: str, folder: Path) -> str | None:
    name = entry.get(key)
    return str(folder / name) if name else None


def _material(entry: Mapping[str, Any], key: str, folder: Path) -> str | None:
    inline = _inline(entry, f"{key}-data")
    if inline is not None:
        return inline
    file = _file(entry, key, folder)
    return Path(file).read_text(encoding="utf-8") if file else None


def _authorization(user: Mapping[str, Any], folder: Path) -> dict[str, str]:
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text(encoding="utf-8").strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def _exec_credentials(user: Mapping[str, Any], path: Path) -> dict[str, str]:
    plugin = user.get("exec")
    if not plugin:
        return {}
    command = [plugin["command"], *(plugin.get("args") or [])]
    extra = {e["name"]: e["value"] for e in plugin.get("env") or []}
    question = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {}}
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(question)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        status = json.loads(done.stdout)["status"]
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        raise ClusterError(
            f"{path}: credential plugin {command[0]} failed ({_first_line(error)})"
        ) from None
    keys = {
        "token": "token",
        "clientCertificateData": "client-certificate",
        "clientKeyData": "client-key",
    }
    credentials = {ours: status[theirs] for theirs, ours in keys.items() if status.get(theirs)}
    # A plugin hands over PEM text; a kubeconfig carries the same under `-data`, in base64.
    return {
        (f"{key}-data" if key != "token" else key): (
            base64.b64encode(value.encode()).decode() if key != "token" else value
        )
        for key, value in credentials.items()
    }
