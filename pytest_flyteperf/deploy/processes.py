"""Flyte as processes of a running local cluster: FlytePropeller and the stand-in, or a full Flyte.

One Flyte runs on a cluster at a time; another takes its place, as an A/B comparison does. Each has
a folder of its own, with configuration, logs and state, so that each starts with none.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock

from pytest_flyteperf.deploy.composition import ADMIN, FLYTE, NAMES, PROPELLER, compose, wire
from pytest_flyteperf.deploy.config import LOOPBACK, TRACE_DELAY_MS
from pytest_flyteperf.deploy.definition import await_definition
from pytest_flyteperf.deploy.environment import gather_environment
from pytest_flyteperf.deploy.fingerprint import engine_digest
from pytest_flyteperf.deploy.leftovers import remove_unfinished
from pytest_flyteperf.engine.control import StartError
from pytest_flyteperf.engine.process import ProcessSpec, ProcessState, tail
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Deployment
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.programs import S3_ACCESS, pod_slots

if TYPE_CHECKING:
    from pytest_flyteperf.deploy.request import Request
    from pytest_flyteperf.engine.control import Control
    from pytest_flyteperf.model import Cluster

_TRIES = 3
_FILE = "deployment.json"
_SPECS = "flyte.json"
"""How its processes are started."""
_LOG_LINES = 200
_CHANCES = (
    ("address already in use", "a port was taken meanwhile"),
    # FlyteAdmin and DataCatalog each make the database if there is none, at the same time.
    ("pg_database_datname_index", "the database was made twice"),
)
"""What a log says of a start that may well succeed when repeated."""


def deploy(
    cluster: Cluster,
    control: Control,
    request: Request,
    progress: Progress = silent,
    *,
    fresh: bool = False,
) -> Deployment:
    """Return a running Flyte as requested: the one that runs if it is that, else a new one.

    A Flyte of another subject is stopped first, with `fresh` also one of the same. `control` is a
    connection to the cluster's supervisor. Sessions that deploy together get the same Flyte.

    Raises:
        DeploymentError: it did not come up; nothing of it is left running.
    """
    directory = Path(cluster.directory)
    with FileLock(directory / "deploy.lock"):
        if not fresh:
            found = find(cluster, control, request)
            if found is not None:
                return found
        undeploy(cluster, control)
        _clear(cluster, progress)
        for tries_left in reversed(range(_TRIES)):
            try:
                deployment = _start(cluster, control, request, progress)
                break
            except StartError as error:
                undeploy(cluster, control)
                said = error.death.tail if error.death is not None else ()
                chance = next((why for sign, why in _CHANCES if any(sign in x for x in said)), None)
                if not tries_left or chance is None:
                    raise DeploymentError(_explain(error)) from None
                progress(f"{chance}: starting Flyte again")
            except BaseException:
                undeploy(cluster, control)
                raise
        _write_whole(directory / _FILE, msgspec.json.encode(deployment))
        return deployment


def restart(
    cluster: Cluster, control: Control, request: Request, progress: Progress = silent
) -> Deployment:
    """Start the engine of the Flyte that runs anew: FlytePropeller, or a full Flyte.

    What FlyteAdmin knows stays: workflows that are registered, executions, the cache.

    Raises:
        DeploymentError: it did not come up again; nothing of this Flyte is left running.
    """
    directory = Path(cluster.directory)
    with FileLock(directory / "deploy.lock"):
        deployment = find(cluster, control, request)
        if deployment is not None:
            specs = msgspec.json.decode(
                (directory / _SPECS).read_bytes(), type=tuple[ProcessSpec, ...]
            )
            (main,) = [
                spec for spec in specs if spec.name in deployment.metrics and spec.name != ADMIN
            ]
            control.stop([main.name])
            beat = Beat(progress, f"starting {main.name} anew")
            try:
                control.start([main], lambda name: beat.tick(f"{name} is ready"))
            except StartError as error:
                undeploy(cluster, control)
                raise DeploymentError(_explain(error)) from None
            deployment = msgspec.structs.replace(deployment, pids=_pids(control))
            _write_whole(directory / _FILE, msgspec.json.encode(deployment))
            return deployment
    return deploy(cluster, control, request, progress)


def _pids(control: Control) -> dict[str, int]:
    return {p.name: p.pid for p in control.status().processes if p.pid is not None}


def find(cluster: Cluster, control: Control, request: Request) -> Deployment | None:
    """Return the Flyte that runs on a cluster, if it is what is requested."""
    deployment = running(cluster, control)
    if deployment is None or deployment.subject != request.subject:
        return None
    environment = deployment.environment
    same = environment.database == request.database_kind
    return deployment if same and environment.admin_kind is request.admin_kind else None


def running(cluster: Cluster, control: Control) -> Deployment | None:
    """Return the Flyte that runs on a cluster, whichever it is."""
    try:
        text = Path(cluster.directory, _FILE).read_bytes()
        deployment = msgspec.json.decode(text, type=Deployment)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    ready = {p.name: p.pid for p in control.status().processes if p.state is ProcessState.READY}
    mine = {name: pid for name, pid in deployment.pids.items() if name in NAMES}
    return deployment if mine and all(ready.get(n) == pid for n, pid in mine.items()) else None


def undeploy(cluster: Cluster, control: Control) -> None:
    """Stop the Flyte that runs on a cluster, if any; its folder and logs stay."""
    Path(cluster.directory, _FILE).unlink(missing_ok=True)
    ended = (ProcessState.EXITED,)
    there = {p.name for p in control.status().processes if p.state not in ended}
    names = [name for name in NAMES if name in there]
    if names:
        control.stop(names)


def _start(cluster: Cluster, control: Control, request: Request, progress: Progress) -> Deployment:
    flytes = Path(cluster.directory, "flytes")
    flytes.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{request.engine.flyte_digest}-", dir=flytes))
    wiring = wire(cluster, folder)
    logs = Path(cluster.directory, "logs", folder.name)  # what an ended cluster leaves
    logs.mkdir(mode=0o700)
    specs = compose(request, wiring, logs)
    beat = Beat(progress, f"starting Flyte {request.engine.flyte}")
    control.start(specs, lambda name: beat.tick(f"{name} is ready"))
    _write_whole(Path(cluster.directory, _SPECS), msgspec.json.encode(specs))
    await_definition(cluster, beat)
    main = FLYTE if request.engine.full_flyte else PROPELLER
    metrics: dict[str, tuple[str, ...]] = {
        main: (f"http://{LOOPBACK}:{wiring.metrics_port}/metrics",)
    }
    if request.engine.full_flyte is None:
        metrics[ADMIN] = (f"http://{LOOPBACK}:{wiring.extra_port}/metrics",)
    return Deployment(
        cluster=cluster,
        subject=request.subject,
        environment=gather_environment(
            cluster,
            request.admin_kind,
            request.database_kind,
            engine_digest=engine_digest(request.engine),
            kubelet_slots=pod_slots(),
        ),
        admin_endpoint=f"{LOOPBACK}:{wiring.admin_port}",
        metrics=metrics,
        logs={spec.name: spec.log for spec in specs}
        | {
            "pods": str(Path(cluster.directory, "logs", "pods")),
            S3_ACCESS: str(Path(cluster.directory, "logs", f"{S3_ACCESS}.log")),
        },
        pids=_pids(control),
        trace_delay_s=TRACE_DELAY_MS / 1000,
    )


def _clear(cluster: Cluster, progress: Progress) -> None:
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        removed = remove_unfinished(api)
    if removed:
        progress(f"removed {removed} unfinished workflows of an earlier Flyte")


def _explain(error: StartError) -> str:
    """Say why one of Flyte's processes ended: the last complaint in its log, and where that is."""
    if error.death is None:
        return str(error)
    complaint = None
    for line in tail(error.death.log, _LOG_LINES):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in {"error", "fatal", "panic"}:
            complaint = " ".join(str(entry.get("msg")).split())
    said = f"{error.death.name}: {complaint}" if complaint else str(error)
    return f"{said}; its log: {error.death.log}"


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.rename(path)
