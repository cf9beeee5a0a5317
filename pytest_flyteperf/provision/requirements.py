"""What a kind cluster needs of this machine, looked at before anything is created."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.provision.daemon import ANSWER_S, daemon

LEAST_KIND = (0, 20)
LEAST_HELM = (3, 8)
LEAST_DOCKER = (20, 10)
LEAST_MEMORY = 4 << 30
"""Bytes: a node takes 0.5 GB, Flyte with database and store 0.7, tasks a little each."""
LEAST_DISK = 4 << 30


class Programs(Frozen, frozen=True):
    """The programs from PATH that kind clusters are made with."""

    kind: str
    kind_version: str
    helm: str
    docker: str


def require() -> Programs:
    """Find the programs and check the Docker daemon.

    Raises:
        ClusterError: one is missing or too old, the daemon does not answer or must not be used, or
            memory or disk are too small; one line with the remedy.
    """
    kind, docker, helm = (_find(name) for name in ("kind", "docker", "helm"))
    kind_version = _version(kind, ("version",), LEAST_KIND)
    _version(helm, ("version", "--short"), LEAST_HELM)
    with daemon() as client:
        _check_daemon(client.info())
    return Programs(kind=kind, kind_version=kind_version, helm=helm, docker=docker)


def require_helm() -> str:
    """Path of a helm that is new enough.

    Raises:
        ClusterError: there is none.
    """
    helm = _find("helm")
    _version(helm, ("version", "--short"), LEAST_HELM)
    return helm


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ClusterError(
            f"{name}: not on PATH; install it, or use the local engine: --flyteperf-cluster local"
        )
    return str(Path(found).absolute())


def _version(program: str, arguments: tuple[str, ...], least: tuple[int, ...]) -> str:
    try:
        done = subprocess.run(
            (program, *arguments),
            capture_output=True,
            check=True,
            timeout=ANSWER_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ClusterError(
            f"{program}: does not tell its version ({_first(error)}); reinstall it"
        ) from None
    found = re.search(r"v(\d+(?:\.\d+)+)", done.stdout.decode(errors="replace"))
    wanted = ".".join(map(str, least))
    if found is None:
        raise ClusterError(f"{program}: does not tell its version; version {wanted} is needed")
    if tuple(map(int, found[1].split("."))) < least:
        raise ClusterError(f"{program}: version {found[1]} is older than {wanted}; upgrade it")
    return found[1]


def _check_daemon(info: dict[str, Any]) -> None:
    try:
        version = str(info["ServerVersion"])
        memory = int(info["MemTotal"])
        root = Path(str(info["DockerRootDir"]))
    except (KeyError, TypeError, ValueError):
        raise ClusterError(
            f"docker: the daemon says {json.dumps(info)[:120]}, not what it is; upgrade it"
        ) from None
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < LEAST_DOCKER:
        least = ".".join(map(str, LEAST_DOCKER))
        raise ClusterError(f"docker: version {version} is older than {least}; upgrade it")
    if memory < LEAST_MEMORY:
        raise ClusterError(
            f"docker: has {memory / 2**30:.1f} GiB of memory, a kind cluster with Flyte needs "
            f"{LEAST_MEMORY >> 30}; give it more"
        )
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return  # the daemon's disk is another machine's
    if free < LEAST_DISK:
        raise ClusterError(
            f"{root}: {free / 2**30:.1f} GiB free, a kind cluster needs {LEAST_DISK >> 30}; "
            "make room, e.g. docker system prune"
        )


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
