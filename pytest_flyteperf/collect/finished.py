"""The recording of an execution that ended long ago, from whatever its Flyte still tells.

FlyteAdmin has the executions, nodes and tasks; traces, pods and the FlyteWorkflow object come from
elsewhere if that is named. What nobody tells is absent, and recording.json says why.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
import msgspec

from pytest_flyteperf import __version__
from pytest_flyteperf.adminapi import configured, logged_in
from pytest_flyteperf.collect.admin import (
    TERMINAL,
    Address,
    Admin,
    AdminError,
    Harvest,
    family,
    phase_name,
    to_json,
)
from pytest_flyteperf.collect.collector import EXECUTION_METRICS
from pytest_flyteperf.collect.folder import RecordingFolder, jsonl
from pytest_flyteperf.collect.reference import Reference
from pytest_flyteperf.collect.tracesource import read_traces
from pytest_flyteperf.collect.watching import Received
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.progress import Progress

OBJECTS = {
    "pods.jsonl": "/api/v1/namespaces/{namespace}/pods",
    "flyteworkflows.jsonl": "/apis/flyte.lyft.com/v1alpha1/namespaces/{namespace}/flyteworkflows",
}
LISTED = "LISTED"
"""Type of an event that is none: the object as it was found, nobody saw its changes come."""


class Sources(Frozen, frozen=True):
    """Where to ask for an execution."""

    endpoint: str | None = None
    """host:port of FlyteAdmin's gRPC; else the reference's, else flytekit's configuration."""
    insecure: bool | None = None
    """Without TLS; None for what the reference or flytekit's configuration says."""
    traces: str | None = None
    """See `tracesource.read_traces`."""
    kubeconfig: str | None = None


def record(reference: Reference, sources: Sources, folder: Path, progress: Progress) -> None:
    """Write the recording of a finished execution.

    Raises:
        DeploymentError: FlyteAdmin does not answer, refuses, or does not know the execution.
        UsageError: the execution has not ended, or a source cannot be what it was said to be.
        RecordingError: the folder cannot be written; nothing is left of it.
    """
    platform = _platform(reference, sources)
    where = f"{platform.endpoint}: {reference.project}/{reference.domain}/{reference.name}"
    address = Address(
        admin_endpoint=platform.endpoint, project=reference.project, domain=reference.domain
    )
    with Admin(address, channel=logged_in(platform)) as admin:
        progress(f"{where}: reading")
        execution = _execution(admin, reference, where)
        harvest = admin.harvest(execution.id)
        absent: dict[str, str] = {}
        try:
            spans = admin.metrics(execution.id)
        except AdminError as error:
            spans, absent[EXECUTION_METRICS] = None, str(error)
    files = {} if spans is None else {EXECUTION_METRICS: msgspec.json.encode(to_json(spans))}
    files |= _traces(execution, harvest, sources, absent, progress)
    files |= _objects(harvest, sources, absent, progress)
    with RecordingFolder(folder) as out:
        out.harvest(harvest)
        for name, data in files.items():
            out.packed(name, data)
        out.plain("recording.json", _header(execution, platform.endpoint, absent))


def _platform(reference: Reference, sources: Sources) -> Any:
    """Flytekit's configuration, credentials included, for the endpoint that is meant."""
    endpoint = sources.endpoint or reference.endpoint
    insecure = sources.insecure
    if insecure is None and sources.endpoint is None:
        insecure = reference.insecure
    return configured(None, endpoint, insecure=insecure)


def _execution(admin: Admin, reference: Reference, where: str) -> Any:
    """The execution, ended."""
    try:
        execution = admin.execution(admin.identifier(reference.name))
    except AdminError as error:
        raise DeploymentError(f"{where}: {_remedy(error)}") from None
    if phase_name(execution) not in TERMINAL:
        raise UsageError(f"{where} is {phase_name(execution)}; record it after its end")
    return execution


def _remedy(error: AdminError) -> str:
    match error.code:
        case grpc.StatusCode.NOT_FOUND:
            return "no such execution; check project, domain and name"
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return f"not allowed ({error.reason}); log in with flytekit, or name its configuration"
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"FlyteAdmin does not answer ({error.reason}); check --endpoint and --insecure"
        case _:
            # Also what flytekit meets on its way to log in, where there is no service to do so.
            return (
                f"{error.code.name}: {error.reason}; name FlyteAdmin's gRPC, "
                "and log in with flytekit if it wants that"
            )


def _traces(
    execution: Any,
    harvest: Harvest,
    sources: Sources,
    absent: dict[str, str],
    progress: Progress,
) -> dict[str, bytes]:
    if sources.traces is None:
        absent["traces"] = "no source was named (--traces)"
        return {}
    progress(f"{sources.traces}: reading traces")
    start_ns = execution.closure.created_at.ToNanoseconds()
    end_ns = execution.closure.updated_at.ToNanoseconds()
    return dict([read_traces(sources.traces, family(harvest), start_ns, end_ns)])


def _objects(
    harvest: Harvest, sources: Sources, absent: dict[str, str], progress: Progress
) -> dict[str, bytes]:
    """Pods and FlyteWorkflow objects as far as Kubernetes still has them."""
    if sources.kubeconfig is None:
        absent |= dict.fromkeys(OBJECTS, "no kubeconfig was named (--kubeconfig)")
        return {}
    identifier = harvest.execution.id
    namespace = f"{identifier.project}-{identifier.domain}"
    chosen = {"labelSelector": f"execution-id in ({','.join(family(harvest))})"}
    found = {}
    with KubeApi.from_kubeconfig(sources.kubeconfig) as api:
        for file, path in OBJECTS.items():
            progress(f"{namespace}: reading {file.removesuffix('.jsonl')}")
            try:
                items = api.list(path.format(namespace=namespace), query=chosen)["items"]
            except KubeError as error:
                absent[file] = str(error)
                continue
            if items:
                found[file] = jsonl(_listed(item) for item in items)
            else:
                absent[file] = f"Kubernetes has none of {identifier.name} any more"
    return found


def _listed(item: dict[str, Any]) -> Received:
    return Received(time.time(), msgspec.json.encode({"type": LISTED, "object": item}))


def _header(execution: Any, endpoint: str, absent: dict[str, str]) -> bytes:
    identifier = execution.id
    about = {
        "case": execution.closure.workflow_id.name,
        "inputs": None,
        "phase": execution.closure.phase,
        "project": identifier.project,
        "domain": identifier.domain,
        "execution": identifier.name,
        "recorded_from": endpoint,
        "recorded_unix_ns": time.time_ns(),
        "tool_version": __version__,
        "absent": absent,
    }
    return msgspec.json.format(msgspec.json.encode(about), indent=1)
