"""A container as a command: arguments and environment as Kubernetes would make them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.forkserver.protocol import Start

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_flyteperf.engine.kubelet.pods import Container, EnvVar, Pod

POD_MARK = "FLYTEPERF_POD"
"""Variable that holds the pod's uid in each of its processes."""

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """The container asks for something that a process kubelet cannot give."""


def container_key(pod: Pod, container: str) -> str:
    """Name of a container for the fork server."""
    return f"{pod.uid}/{container}"


def start_request(
    pod: Pod, container: Container, base: Mapping[str, str], node: str, log: Path
) -> Start:
    """What the fork server shall run for a container.

    Args:
        pod: its pod.
        container: the container.
        base: the environment that an image would bring.
        node: name of this node.
        log: file for its output.

    Raises:
        ConfigError: it asks for what the kubelet does not know.
    """
    if container.restart_policy is not None:
        raise ConfigError(f"container {container.name}: restartPolicy of its own is not supported")
    own = container_environment(pod, container, node)
    words = (*(container.command or ()), *(container.args or ()))
    return Start(
        key=container_key(pod, container.name),
        argv=tuple(expand(word, own) for word in words),
        env={"HOSTNAME": pod.metadata.name, **base, **own, POD_MARK: pod.uid},
        log=str(log),
        cwd=container.working_dir or "",
    )


def container_environment(pod: Pod, container: Container, node: str) -> dict[str, str]:
    """Variables of the pod's own specification, references resolved in their order."""
    if container.env_from:
        raise ConfigError(f"container {container.name}: envFrom is not supported; use env")
    environment: dict[str, str] = {}
    for variable in container.env or ():
        if variable.value_from is None:
            environment[variable.name] = expand(variable.value or "", environment)
        else:
            environment[variable.name] = _field(pod, variable, node)
    return environment


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; unknown names stay as they are and `$$` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        name = match[2]
        return "$" if name is None else environment.get(name, match[0])

    return _REFERENCE.sub(value, text)


def _field(pod: Pod, variable: EnvVar, node: str) -> str:
    source = variable.value_from and variable.value_from.field_ref
    if not source:
        raise ConfigError(f"variable {variable.name}: only valueFrom.fieldRef is supported")
    if subscript := _SUBSCRIPT.fullmatch(source.field_path):
        meta = pod.metadata
        values = meta.labels if subscript[1] == "labels" else meta.annotations
        return (values or {}).get(subscript[2], "")
    fields = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": node,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
    }
    try:
        return fields[source.field_path]
    except KeyError:
        raise ConfigError(f"variable {variable.name}: no field {source.field_path}") from None
