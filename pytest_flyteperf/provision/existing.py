"""A cluster that is there already: nothing of it is created here, and nothing removed.

The kubeconfig's chosen context is copied into a file of our own, so that nothing that changes the
user's current context later leads elsewhere.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pytest_flyteperf.errors import ClusterError, UsageError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Cluster, Frozen, ObjectStore
from pytest_flyteperf.paths import state_dir

if TYPE_CHECKING:
    from typing import Any

UNKNOWN = "unknown"


class Wish(Frozen, frozen=True):
    """Which existing cluster is meant."""

    kubeconfig: str
    context: str | None = None
    """The kubeconfig's current one without."""


def open_cluster(wish: Wish) -> Cluster:
    """Describe the cluster of a kubeconfig; it must answer.

    Raises:
        UsageError: there is no such file or context.
        ClusterError: the API server does not answer, or refuses.
    """
    config, context = chosen(wish)
    digest = hashlib.sha256(f"{wish.kubeconfig}\0{context}".encode()).hexdigest()[:8]
    directory = state_dir() / "existing" / digest
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig = directory / "kubeconfig"
    write_private(kubeconfig, config)
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        version = api.request("GET", "/version")["gitVersion"]
    return Cluster(
        kind="existing",
        name=context,
        directory=str(directory),
        kubeconfig=str(kubeconfig),
        store=ObjectStore(endpoint="", access_key="", secret_key="", bucket=""),
        distribution=f"Kubernetes {version}",
        blob_store=UNKNOWN,
    )


def write_private(path: Path, config: dict[str, Any]) -> None:
    """Write a kubeconfig that its user alone may read, whole."""
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(yaml.safe_dump(config), encoding="utf-8")
    fresh.replace(path)


def chosen(wish: Wish) -> tuple[dict[str, Any], str]:
    """The kubeconfig with the chosen context as its current one, file names made absolute.

    Raises:
        UsageError: there is no such file or context.
        ClusterError: it names no users.
    """
    path = Path(wish.kubeconfig)
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--flyteperf-kubeconfig {path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise UsageError(f"--flyteperf-kubeconfig {path}: is not YAML") from None
    if not isinstance(config, dict) or not isinstance(config.get("contexts"), list):
        raise UsageError(f"--flyteperf-kubeconfig {path}: is no kubeconfig")
    names = [str(c.get("name")) for c in config["contexts"] if isinstance(c, dict)]
    context = wish.context or config.get("current-context")
    if context not in names:
        known = ", ".join(names) or "none"
        raise UsageError(f"--flyteperf-context {context}: {path} has {known}")
    config["current-context"] = context
    for kind, keys in (
        ("clusters", ("certificate-authority",)),
        ("users", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in config.get(kind) or ():
            inner = entry.get(kind.removesuffix("s")) or {}
            for key in keys:
                if inner.get(key):
                    inner[key] = str((path.parent / inner[key]).absolute())
    if config.get("users") is None:
        raise ClusterError(f"{path}: names no users; give a kubeconfig that may log in")
    return config, str(context)
