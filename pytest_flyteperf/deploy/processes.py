"""Flyte as processes of a running local cluster: FlytePropeller and the stand-in, or a full Flyte.

One Flyte runs on a cluster at a time; another takes its place, as an A/B comparison does. Each has
a folder of its own, with configuration, logs and state, so that each starts with none.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml
from filelock import FileLock

from pytest_flyteperf.deploy.config import (
    LOOPBACK,
    TRACE_DELAY_MS,
    TRACE_QUEUE,
    Wiring,
    check_database,
    check_overrides,
    full_config,
    propeller_config,
    standin_config,
)
from pytest_flyteperf.deploy.environment import gather_environment
from pytest_flyteperf.deploy.fingerprint import engine_digest
from pytest_flyteperf.deploy.leftovers import remove_unfinished
from pytest_flyteperf.deploy.yamlfile import Document, read_yaml
from pytest_flyteperf.engine.build import ensure_engine, is_program
from pytest_flyteperf.engine.control import StartError
from pytest_flyteperf.engine.process import GrpcProbe, HttpProbe, ProcessSpec, ProcessState, tail
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import AdminKind, Deployment, Frozen, Subject
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.programs import S3_ACCESS, pod_slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_flyteperf.deploy.yamlfile import Value
    from pytest_flyteperf.engine.build import Engine
    from pytest_flyteperf.engine.control import Control
    from pytest_flyteperf.model import Cluster

PROPELLER = "propeller"
ADMIN = "admin"
FLYTE = "flyte"
NAMES = (PROPELLER, ADMIN, FLYTE)
"""What Flyte's processes are called on a cluster; a full Flyte is one."""
READY_S = 60.0
CRD = "flyteworkflows.flyte.lyft.com"
_CRD_POLL_S = 0.05
_TRIES = 3
_ORDER = 40
"""Above the cluster's own processes: Flyte stops first."""
_FILE = "deployment.json"
_LOG_LINES = 200
_CHANCES = (
    ("address already in use", "a port was taken meanwhile"),
    # FlyteAdmin and DataCatalog each make the database if there is none, at the same time.
    ("pg_database_datname_index", "the database was made twice"),
)
"""What a log says of a start that may well succeed when repeated."""


class Request(Frozen, frozen=True):
    """Which Flyte, and how configured."""

    engine: Engine
    overrides: Document | None = None
    database: str | None = None
    """PostgreSQL URL, for a full Flyte."""

    @property
    def subject(self) -> Subject:
        """What is under test."""
        text = self.overrides.text if self.overrides is not None else None
        return Subject(
            flyte=self.engine.flyte,
            digest=self.engine.flyte_digest,
            config=text,
            config_digest=hashlib.sha256(text.encode()).hexdigest() if text is not None else None,
        )

    @property
    def admin_kind(self) -> AdminKind:
        """Who answers as FlyteAdmin."""
        return AdminKind.FLYTEADMIN if self.engine.full_flyte else AdminKind.STAND_IN

    @property
    def database_kind(self) -> str:
        """Where FlyteAdmin, or the stand-in, keeps its state."""
        return "PostgreSQL" if self.database else "bbolt"


def prepare(
    flyte: str | None,
    *,
    config: Path | None = None,
    database: str | None = None,
    progress: Progress = silent,
) -> Request:
    """Check what the user asked for, and build it if it is not; what is wrong is said first.

    Raises:
        UsageError: there is no such Flyte, or it cannot take the configuration or the database.
        BuildError: it cannot be built.
    """
    _check(flyte, config, database, full=is_program(flyte))
    return plan(ensure_engine(progress, flyte), config=config, database=database)


def plan(engine: Engine, *, config: Path | None = None, database: str | None = None) -> Request:
    """Check configuration and database for an engine that is built.

    Raises:
        UsageError: it cannot take one of them.
    """
    overrides = _check(engine.flyte, config, database, full=engine.full_flyte is not None)
    if overrides is not None and engine.propeller is not None:
        _check_keys(engine.propeller, overrides)
    return Request(engine=engine, overrides=overrides, database=database)


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
    wiring = _wire(cluster, folder)
    logs = Path(cluster.directory, "logs", folder.name)  # what an ended cluster leaves
    logs.mkdir(mode=0o700)
    specs = _compose(request, wiring, logs)
    beat = Beat(progress, f"starting Flyte {request.engine.flyte}")
    control.start(specs, lambda name: beat.tick(f"{name} is ready"))
    await_definition(cluster, beat)
    pids = {p.name: p.pid for p in control.status().processes if p.pid is not None}
    main = FLYTE if request.engine.full_flyte else PROPELLER
    metrics = {main: f"http://{LOOPBACK}:{wiring.metrics_port}/metrics"}
    if request.engine.full_flyte is None:
        metrics[ADMIN] = f"http://{LOOPBACK}:{wiring.extra_port}/metrics"
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
        pids=pids,
        trace_delay_s=TRACE_DELAY_MS / 1000,
    )


def _compose(request: Request, wiring: Wiring, logs: Path) -> tuple[ProcessSpec, ...]:
    """The processes of one Flyte, their configuration written."""
    folder = Path(wiring.directory)
    engine = request.engine
    environment = {
        "OTEL_BSP_MAX_QUEUE_SIZE": str(TRACE_QUEUE),
        "OTEL_BSP_SCHEDULE_DELAY": str(TRACE_DELAY_MS),
    }
    process = partial(
        ProcessSpec,
        env=environment,
        unset=tuple(n for n in os.environ if n.startswith("OTEL_") and n not in environment),
        cwd=str(folder),
        probe=GrpcProbe(target=f"{LOOPBACK}:{wiring.admin_port}"),
        ready_timeout_s=READY_S,
        order=_ORDER,
    )
    if engine.full_flyte is not None and request.database is not None:
        config = full_config(wiring, request.database, request.overrides)
        return (
            process(
                name=FLYTE,
                argv=(engine.full_flyte, "start", "--config", _write(folder, FLYTE, config)),
                log=str(logs / "flyte.log"),
                # With its webhook off it ignores SIGTERM.
                stop_signal=signal.SIGKILL,
            ),
        )
    if engine.admin is None or engine.propeller is None:
        raise DeploymentError(f"Flyte {engine.flyte}: was not built; run: flyteperf engine build")
    admin = _write(folder, ADMIN, standin_config(wiring, request.overrides))
    propeller = _write(folder, PROPELLER, propeller_config(wiring, request.overrides))
    return (
        process(name=ADMIN, argv=(engine.admin, "--config", admin), log=str(logs / "admin.log")),
        process(
            name=PROPELLER,
            argv=(engine.propeller, "--config", propeller),
            log=str(logs / "propeller.log"),
            probe=HttpProbe(url=f"http://{LOOPBACK}:{wiring.metrics_port}/healthcheck"),
            after=(ADMIN,),
            order=_ORDER + 1,
        ),
    )


def _wire(cluster: Cluster, folder: Path) -> Wiring:
    if cluster.otlp_endpoint is None:
        raise DeploymentError(f"{cluster.name}: has no receiver of traces; start it again")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        admin, metrics, extra, catalog, catalog_http = (s.getsockname()[1] for s in sockets)
    return Wiring(
        kubeconfig=cluster.kubeconfig,
        store=cluster.store,
        otlp_endpoint=cluster.otlp_endpoint,
        directory=str(folder),
        admin_port=admin,
        metrics_port=metrics,
        extra_port=extra,
        catalog_ports=(catalog, catalog_http),
    )


def _clear(cluster: Cluster, progress: Progress) -> None:
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        removed = remove_unfinished(api)
    if removed:
        progress(f"removed {removed} unfinished workflows of an earlier Flyte")


def await_definition(cluster: Cluster, beat: Beat) -> None:
    """Wait until Propeller has made the FlyteWorkflow resource and the API server serves it."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        while beat.age_s < READY_S:
            try:
                status = api.request("GET", path).get("status", {})
            except KubeError as error:
                if error.status != 404:  # noqa: PLR2004 # HTTP: not made yet
                    raise
                status = {}
            conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
            if conditions.get("Established") == "True":
                return
            beat.tick("waiting for the FlyteWorkflow resource")
            time.sleep(_CRD_POLL_S)
    raise DeploymentError(
        f"{cluster.name}: FlytePropeller made no {CRD} within {READY_S:.0f} s; see its log"
    )


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


def _check(
    flyte: str | None, config: Path | None, database: str | None, *, full: bool
) -> Document | None:
    """Check what needs no built program; return the configuration file's content."""
    if full and database is None:
        raise UsageError(
            f"--flyteperf-flyte {flyte}: FlyteAdmin needs PostgreSQL, its migrations fail "
            "on SQLite; give --flyteperf-database postgres://USER:PASSWORD@HOST:PORT/NAME"
        )
    if database is not None and not full:
        raise UsageError(
            "--flyteperf-database: only a full `flyte` program keeps its state in PostgreSQL; "
            "give one to --flyteperf-flyte, or leave the database out"
        )
    if database is not None:
        check_database(database)
    overrides = read_yaml(config) if config is not None else None
    if overrides is not None:
        check_overrides(overrides, full=full)
    return overrides


def _check_keys(propeller: str, overrides: Document) -> None:
    """Let Propeller itself say which keys and values it does not take."""
    with tempfile.TemporaryDirectory(prefix="flyteperf-config-") as folder:
        sections = {
            name: value
            for name, value in overrides.content.items()
            if name.lower() not in {"flyteadmin", "standin", "task_resources"}
        }
        path = _write(Path(folder), "check", sections)
        done = subprocess.run(
            [propeller, "--check", "--config", path],
            check=False,
            capture_output=True,
            text=True,
            timeout=READY_S,
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        reason = reason.rpartition(f"{path}: ")[2].rpartition("following error(s): ")[2]
        raise UsageError(f"{overrides.path}: FlytePropeller does not take it: {reason}")


def _write(folder: Path, name: str, config: Mapping[str, Value]) -> str:
    """Write a configuration, which holds keys of the object store, for this user alone."""
    path = folder / f"{name}.yaml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        # Through JSON: a value that occurs twice would become an alias.
        yaml.safe_dump(json.loads(json.dumps(config)), file, sort_keys=False)
    return str(path)


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.rename(path)
