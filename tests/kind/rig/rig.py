"""All of it: programs, daemon and images, as the environment that a command runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tests.kind.rig import daemon, flyte, machine, node, programs
from tests.kind.rig.cache import ROOT

CHART = Path(__file__).parents[1] / "chart"


@contextmanager
def up() -> Iterator[dict[str, str]]:
    """Environment with kind, helm and docker on PATH, and the images as options of the product."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with FileLock(ROOT / "rig.lock"):
        machine.install()
        built = programs.build()
        os.environ["DOCKER_HOST"] = daemon.HOST
        with daemon.running() as client:
            task_image = flyte.tasks(client)
            yield {
                "PATH": f"{built}{os.pathsep}{os.environ['PATH']}",
                "DOCKER_HOST": daemon.HOST,
                "FLYTEPERF_NODE_IMAGE": node.image(client),
                "FLYTEPERF_FLYTE": f"image:{flyte.flyte(client)}",
                "FLYTEPERF_STORE_IMAGE": flyte.store(client),
                "FLYTEPERF_DATABASE_IMAGE": flyte.postgres(client),
                "FLYTEPERF_TASK_IMAGE": task_image,
                "FLYTEPERF_CHART": str(CHART),
            }
