"""Flyte's image, built of a checkout by the Dockerfile in it.

By the program docker, which kind needs anyhow: Flyte's own Dockerfile takes BuildKit, and the
docker package has only the builder before it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.paths import state_dir
from pytest_flyteperf.progress import Beat, Progress
from pytest_flyteperf.provision.daemon import daemon
from pytest_flyteperf.provision.told import run_told

REPOSITORY = "pytest-flyteperf/flyte"
"""Of built images; the tag is the content's digest, so that another content is another image."""
DOCKERFILE = "Dockerfile"
DIGITS = 12
BUILD_S = 3600.0
LOG = "docker-build.log"


def checkout_of(flyte: str) -> Path | None:
    """The folder that a reference to Flyte names; None if it names none.

    Raises:
        UsageError: the folder has no Dockerfile.
    """
    path = Path(flyte).expanduser()
    if not path.is_dir():
        return None
    if not (path / DOCKERFILE).is_file():
        raise UsageError(f"--flyteperf-flyte {flyte}: has no {DOCKERFILE} to build an image by")
    return path.absolute()


def build(docker: str, checkout: Path, progress: Progress) -> tuple[str, str]:
    """Build a checkout's image, as it is on disk; return its repository and tag.

    Raises:
        ClusterError: docker refuses, or the Dockerfile fails; one line with the reason.
    """
    log = state_dir() / LOG
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.write_bytes(b"")
    beat = Beat(progress, f"docker: building {checkout}")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "image")
        run_told(
            (docker, "build", "--iidfile", str(told), str(checkout)),
            what=f"docker build {checkout} (all it said: {log})",
            log=log,
            beat=beat,
            most_s=BUILD_S,
        )
        image = told.read_text(encoding="utf-8").strip()
    tag = image.removeprefix("sha256:")[:DIGITS]
    with daemon() as client:
        client.images.get(image).tag(REPOSITORY, tag)
    return REPOSITORY, tag
