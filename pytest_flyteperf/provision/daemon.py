"""The Docker daemon, asked through the docker package; what it refuses ends in one line."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_S = 30.0


@contextmanager
def daemon() -> Iterator[Any]:
    """A client (`docker.DockerClient`) of the daemon that the environment names.

    Raises:
        ClusterError: it does not answer, must not be used, or refuses a request in the block.
    """
    import docker  # the local engine does without
    from docker.errors import DockerException

    where = os.environ.get("DOCKER_HOST", "its default socket")
    try:
        with closing(docker.from_env(timeout=ANSWER_S)) as client:
            yield client
    except (DockerException, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        if "Permission denied" in said or "PermissionError" in said:
            raise ClusterError(
                f"docker: no right to use {where}; join the group docker, or run as one who may"
            ) from None
        raise ClusterError(
            f"docker: the daemon on {where} does not do its work ({said[:160]}); is it running?"
        ) from None


def image_id(client: Any, image: str) -> str | None:  # noqa: ANN401 - docker has no types
    """Digest of an image that the daemon has; None if it has none."""
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(image).id)
    except ImageNotFound:
        return None
