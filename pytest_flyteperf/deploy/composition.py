"""The processes of one Flyte, their configuration written and their ports chosen."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.deploy.config import (
    LOOPBACK,
    TRACE_DELAY_MS,
    TRACE_QUEUE,
    Wiring,
    full_config,
    propeller_config,
    standin_config,
)
from pytest_flyteperf.deploy.yamlfile import write_yaml
from pytest_flyteperf.engine.process import GrpcProbe, HttpProbe, ProcessSpec
from pytest_flyteperf.errors import DeploymentError

if TYPE_CHECKING:
    from pytest_flyteperf.deploy.request import Request
    from pytest_flyteperf.model import Cluster

PROPELLER = "propeller"
ADMIN = "admin"
FLYTE = "flyte"
NAMES = (PROPELLER, ADMIN, FLYTE)
"""What Flyte's processes are called on a cluster; a full Flyte is one."""
READY_S = 60.0
_ORDER = 40
"""Above the cluster's own processes: Flyte stops first."""


def compose(request: Request, wiring: Wiring, logs: Path) -> tuple[ProcessSpec, ...]:
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
                argv=(engine.full_flyte, "start", "--config", write_yaml(folder, FLYTE, config)),
                log=str(logs / "flyte.log"),
                # With its webhook off it ignores SIGTERM.
                stop_signal=signal.SIGKILL,
            ),
        )
    if engine.admin is None or engine.propeller is None:
        raise DeploymentError(f"Flyte {engine.flyte}: was not built; run: flyteperf engine build")
    admin = write_yaml(folder, ADMIN, standin_config(wiring, request.overrides))
    propeller = write_yaml(folder, PROPELLER, propeller_config(wiring, request.overrides))
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


def wire(cluster: Cluster, folder: Path) -> Wiring:
    """Choose free ports for a Flyte on a cluster, whose folder is `folder`.

    Raises:
        DeploymentError: the cluster receives no traces.
    """
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
