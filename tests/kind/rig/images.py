"""Docker images made on the spot; each is tagged with the digest of what it is made from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker

from tests.kind.rig.cache import ROOT, digest, obtain
from tests.kind.rig.command import run

REGISTRY = "flyteperf.test"
"""No such registry exists: an image that is not there fails at once."""
PATH = "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"


def ensure(
    client: docker.DockerClient, name: str, inputs: object, make: Callable[[str], None]
) -> str:
    """Tag of an image; `make` is given it if there is no such image yet."""
    tag = f"{REGISTRY}/{name}:{digest(inputs)}"
    if not exists(client, tag):
        print(f"rig: making image {name}", flush=True)
        make(tag)
    return tag


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Whether the daemon has an image."""
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def debian(client: docker.DockerClient, name: str, packages: tuple[str, ...]) -> str:
    """A Debian 12 with packages."""

    def bootstrap(folder: Path) -> None:
        print(f"rig: bootstrapping {name}", flush=True)
        include = f"--include={','.join(packages)}"
        run(
            *("mmdebstrap", "--variant=minbase", "--quiet", "--dpkgopt=force-unsafe-io", include),
            *("bookworm", "root.tar"),
            cwd=folder,
            environment={"TMPDIR": "/tmp"},  # apt's own user must reach what it downloads
        )

    folder = obtain(name, packages, bootstrap)

    def load(tag: str) -> None:
        with (folder / "root.tar").open("rb") as file:
            client.api.import_image_from_data(file, *tag.rsplit(":", 1))

    return ensure(client, name, packages, load)


def of_program(  # what an image is
    client: docker.DockerClient,
    tag: str,
    program: Path,
    *more: Path,
    name: str | None = None,
    entrypoint: bool = False,
) -> str:
    """An image of static programs and nothing else."""
    with context() as folder:
        (folder / "bin").mkdir()
        shutil.copy(program, folder / "bin" / (name or program.name))
        for each in more:
            shutil.copy(each, folder / "bin" / each.name)
        lines = ["FROM scratch", "COPY bin/ /usr/local/bin/", f"ENV PATH={PATH}"]
        if entrypoint:
            lines.append(f'ENTRYPOINT ["/usr/local/bin/{name or program.name}"]')
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
        build(client, folder, tag)
    return tag


def build(
    client: docker.DockerClient,
    folder: Path,
    tag: str,
    arguments: Mapping[str, str] | None = None,
    dockerfile: str = "Dockerfile",
) -> None:
    """`docker build`, without a network: all that goes in lies in the folder."""
    client.images.build(
        path=str(folder), tag=tag, buildargs=dict(arguments or {}), dockerfile=dockerfile, rm=True
    )


@contextmanager
def context() -> Iterator[Path]:
    """An empty folder to build from."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        yield Path(folder)
