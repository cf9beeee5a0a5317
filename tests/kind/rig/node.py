"""The image of a kind node, with the images of the control plane in its containerd."""

from __future__ import annotations

import shutil
from pathlib import Path

import docker

from tests.kind.rig import images, programs
from tests.kind.rig.cache import digest
from tests.kind.rig.command import run

FILES = Path(__file__).with_name("node")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "containerd", "runc", "conntrack", "iptables", "nftables"),
    *(
        "iproute2",
        "ethtool",
        "mount",
        "kmod",
        "libseccomp2",
        "e2fsprogs",
        "ca-certificates",
        "curl",
    ),
    *("jq", "procps", "socat", "rsync", "hostname", "containernetworking-plugins"),
)
ON_NODE = ("kubeadm", "kubelet", "kubectl")
PAUSE = "pause"


def image(client: docker.DockerClient) -> str:
    """Tag of the node's image, made if it is not there."""
    built = programs.build()
    root = images.debian(client, "node-root", PACKAGES)
    inputs = [root, built.name, programs.KIND, programs.engine().tools_digest, digest(FILES)]
    return images.ensure(client, "node", inputs, lambda tag: _make(client, tag, root, built))


def _make(client: docker.DockerClient, tag: str, root: str, built: Path) -> None:
    control_plane = _control_plane(client, root, built)
    with images.context() as folder:
        shutil.copytree(programs.kind_module() / "images/base/files", folder / "files")
        (folder / "programs").mkdir()
        for name in ON_NODE:
            shutil.copy(built / name, folder / "programs" / name)
        for file in FILES.iterdir():
            shutil.copy(file, folder / file.name)
        _make_readable(folder / "files")
        run("docker", "save", "-o", folder / "images.tar", *control_plane.values())
        arguments = {
            "ROOT": root,
            "PAUSE": control_plane[PAUSE],
            "KUBERNETES": programs.KUBERNETES,
        }
        images.build(client, folder, tag, arguments)


def _control_plane(client: docker.DockerClient, root: str, built: Path) -> dict[str, str]:
    """Images under the names that kubeadm expects, by the program's name."""
    listed = run(
        *(built / "kubeadm", "config", "images", "list"),
        f"--kubernetes-version={programs.KUBERNETES}",
    )
    tags = {line.rsplit("/", 1)[1].split(":")[0]: line for line in listed.split()}
    engine = programs.engine()
    for name, tag in tags.items():
        if name == "kube-apiserver":
            images.of_program(client, tag, Path(engine.kube_apiserver))
        elif name == "etcd":
            images.of_program(client, tag, Path(engine.etcd))
        elif name == PAUSE:
            _pause(client, tag)
        elif name == "kube-proxy":
            _kube_proxy(client, tag, root, built)
        else:
            images.of_program(client, tag, built / name, entrypoint=name == "coredns")
    return tags


def _pause(client: docker.DockerClient, tag: str) -> None:
    with images.context() as folder:
        program = folder / PAUSE
        run("gcc", "-Os", "-static", "-o", program, FILES / "pause.c")
        images.of_program(client, tag, program, entrypoint=True)


def _kube_proxy(client: docker.DockerClient, tag: str, root: str, built: Path) -> None:
    with images.context() as folder:
        for file in (built / "kube-proxy", FILES / "kube-proxy.Dockerfile"):
            shutil.copy(file, folder / file.name)
        images.build(client, folder, tag, {"ROOT": root}, "kube-proxy.Dockerfile")


def _make_readable(folder: Path) -> None:
    """Files of a Go module are read-only; kind's scripts must be executable."""
    for path in [folder, *folder.rglob("*")]:
        script = path.is_file() and path.read_bytes()[:2] == b"#!"
        path.chmod(0o755 if path.is_dir() or script else 0o644)
