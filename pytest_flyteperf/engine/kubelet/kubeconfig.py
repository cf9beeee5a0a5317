"""Where the API server is and how to be let in."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from pytest_flyteperf.errors import ClusterError


class Endpoint(msgspec.Struct, frozen=True):
    """An API server; `tls` is None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    headers: dict[str, str]


def load_endpoint(path: Path) -> Endpoint:
    """Read the current context of a kubeconfig with a bearer token or a client certificate's files.

    Raises:
        ClusterError: the file cannot be read, or names no server.
    """
    try:
        document = yaml.safe_load(path.read_bytes())
        context = _named(document, "context", document["current-context"])
        cluster = _named(document, "cluster", context["cluster"])
        user = _named(document, "user", context["user"])
        server = urlsplit(cluster["server"])
    except OSError as error:
        raise ClusterError(f"{path}: {error.strerror}; name a readable kubeconfig") from error
    except KeyError as error:
        raise ClusterError(f"{path}: no {error.args[0]}; write the kubeconfig anew") from error
    except (TypeError, yaml.YAMLError) as error:
        raise ClusterError(f"{path}: not a kubeconfig; write it anew") from error
    if server.hostname is None:
        raise ClusterError(f"{path}: {cluster['server']!r} names no host; give the server's URL")
    tls = _tls(cluster, user) if server.scheme == "https" else None
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    return Endpoint(server.hostname, server.port or (443 if tls else 80), tls, headers)


def _named(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in document[f"{kind}s"]:
        if entry["name"] == name:
            found: dict[str, Any] = entry[kind]
            return found
    raise KeyError(f"{kind} {name}")


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    data = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"),
        cadata=base64.b64decode(data).decode() if data else None,
    )
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user.get("client-key"))
    return context
