"""All of it: programs, daemon and images, as the environment that a command runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
from filelock import FileLock, Timeout

from tests.kind.rig import daemon, flyte, machine, node, probe, programs
from tests.kind.rig.cache import ROOT
from tests.kind.rig.command import RigError

CHART = Path(__file__).parents[1] / "chart"
TURN_S = 600.0
"""Longest that another run's use of the rig is waited for."""


@contextmanager
def up() -> Iterator[dict[str, str]]:
    """Environment with kind, helm and docker on PATH, and the images as options of the product.

    Raises:
        RigError: this machine has not what it takes, or does not get it.
    """
    reason = machine.why_not()
    if reason is not None:
        raise RigError(reason)
    with ExitStack() as stack:
        try:
            environment = _make(stack)
        except (docker.errors.DockerException, OSError, Timeout) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise RigError(said) from error
        yield environment


def _make(stack: ExitStack) -> dict[str, str]:
    ROOT.mkdir(parents=True, exist_ok=True)
    stack.enter_context(FileLock(ROOT / "rig.lock").acquire(timeout=TURN_S))
    machine.install()
    built = programs.build()
    os.environ["DOCKER_HOST"] = daemon.HOST
    client = stack.enter_context(daemon.running())
    made = {
        "PATH": f"{built}{os.pathsep}{os.environ['PATH']}",
        "DOCKER_HOST": daemon.HOST,
        "FLYTEPERF_NODE_IMAGE": node.image(client),
        "FLYTEPERF_FLYTE": f"image:{flyte.flyte(client)}",
        "FLYTEPERF_STORE_IMAGE": flyte.store(client),
        "FLYTEPERF_DATABASE_IMAGE": flyte.postgres(client),
        "FLYTEPERF_TASK_IMAGE": flyte.tasks(client),
        "FLYTEPERF_CHART": str(CHART),
    }
    probe.look(made["FLYTEPERF_NODE_IMAGE"], built)
    return made
