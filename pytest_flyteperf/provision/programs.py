"""The processes of a local cluster, as the supervisor starts them."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.process import FileProbe, GrpcProbe, HttpProbe, ProcessSpec

if TYPE_CHECKING:
    from pytest_flyteperf.engine.build import Engine
    from pytest_flyteperf.provision.credentials import Credentials
    from pytest_flyteperf.provision.layout import Layout

BUCKET = "my-s3-bucket"
"""As in Flyte's own default configuration."""
NODE = "flyteperf"
"""Name of the only node."""
QUOTA_BYTES = 8 * 2**30
"""etcd's largest recommended; Propeller's objects are many versions of much the same."""
PODS_PER_CORE = 4
KUBE_APISERVER = "kube-apiserver"
S3_ACCESS = "s3-access"
"""Log with a line for each request that the object store answered."""
_UNUSED_APIS = (
    "apps/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "certificates.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
)
"""API groups that nothing here uses and no part of the API server watches. Leaving them out saves
25 MiB and, with RBAC's bootstrap of its default roles, a third of the CPU of the start (0.8 s).
What a pod or a FlyteWorkflow passes through is untouched."""
_READY = "/readyz?exclude=poststarthook/scheduling/bootstrap-system-priority-classes"
"""All of readyz but classes that no pod of ours names: they are written a second later."""
PYTHON = (sys.executable, "-P", "-m")
"""Our own modules: with -P no file of the user's working folder is taken for one."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Loopback ports of one start."""

    kubernetes: int
    s3: int

    @classmethod
    def free(cls) -> Ports:
        """Ports that nobody listens on now; another program may still take one before we do."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            kubernetes, s3 = (each.getsockname()[1] for each in sockets)
        return cls(kubernetes=kubernetes, s3=s3)


def pod_slots() -> int:
    """How many pods run at once on this machine: part of the environment of a baseline."""
    return PODS_PER_CORE * (os.cpu_count() or 1)


def etcd(engine: Engine, layout: Layout) -> ProcessSpec:
    """Build etcd: fsync on, reachable only through a socket in the cluster's own folder."""
    # etcd insists on host:port even for unix sockets; the file is named `etcd:0`.
    client, peer = "unix://etcd:0", "unix://peer:0"
    return ProcessSpec(
        name="etcd",
        argv=(
            engine.etcd,
            "--name=flyteperf",
            f"--data-dir={layout.data / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=flyteperf={peer}",
            f"--quota-backend-bytes={QUOTA_BYTES}",
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=1m",
            "--log-level=warn",
        ),
        log=layout.log("etcd"),
        unset=_variables("ETCD_"),
        cwd=str(layout.run),
        probe=GrpcProbe(target=f"unix:{layout.run / 'etcd:0'}"),
        order=0,
    )


def kube_apiserver(
    engine: Engine, layout: Layout, ports: Ports, credentials: Credentials
) -> ProcessSpec:
    """Build the API server: one user, a certificate that clients verify."""
    return ProcessSpec(
        name=KUBE_APISERVER,
        argv=(
            engine.kube_apiserver,
            "--etcd-servers=unix://etcd:0",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",  # else it looks for a default route
            f"--secure-port={ports.kubernetes}",
            f"--cert-dir={layout.credentials}",
            f"--tls-cert-file={credentials.serving}",
            f"--tls-private-key-file={credentials.serving_key}",
            f"--token-auth-file={credentials.tokens}",
            "--anonymous-auth=false",
            # The only user is of system:masters, for whom RBAC is never asked.
            "--authorization-mode=AlwaysAllow",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={credentials.account_public}",
            f"--service-account-signing-key-file={credentials.account_key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # Needs the controllers of a controller-manager, and there is none.
            "--disable-admission-plugins=ServiceAccount",
            # Nothing here connects through the `kubernetes` service.
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            f"--runtime-config={','.join(f'{group}=false' for group in _UNUSED_APIS)}",
        ),
        log=layout.log(KUBE_APISERVER),
        cwd=str(layout.run),
        probe=HttpProbe(
            url=f"https://127.0.0.1:{ports.kubernetes}{_READY}",
            ca=credentials.ca,
            token_file=credentials.token,
        ),
        order=10,
    )


def s3_gateway(
    engine: Engine, layout: Layout, ports: Ports, credentials: Credentials
) -> ProcessSpec:
    """Build the object store: versitygw on a folder, its bucket a folder in it."""
    blobs = layout.data / "blobs"
    (blobs / BUCKET).mkdir(parents=True)
    sidecar = layout.data / "blobs-metadata"
    extra: tuple[str, ...] = ()
    if not has_user_xattrs(blobs):
        sidecar.mkdir()
        extra = ("--sidecar", str(sidecar))
    return ProcessSpec(
        name="s3-gateway",
        argv=(
            engine.s3_gateway,
            "--port",
            f"127.0.0.1:{ports.s3}",
            "--health",
            "/health",
            "--keep-alive",
            "--quiet",
            # Counts what traces do not see: HEAD requests, copies, and the tasks' own.
            "--access-log",
            layout.log(S3_ACCESS),
            "posix",
            *extra,
            str(blobs),
        ),
        log=layout.log("s3-gateway"),
        env={
            "ROOT_ACCESS_KEY": credentials.access_key,
            "ROOT_SECRET_KEY": credentials.secret_key,
        },
        unset=_variables("VGW_", "ROOT_"),
        probe=HttpProbe(url=f"http://127.0.0.1:{ports.s3}/health"),
        order=10,
    )


def fork_server(layout: Layout, project: Path) -> ProcessSpec:
    """Build the process that tasks are forked from: this interpreter, in the project's folder."""
    ready = layout.run / "forkserver.ready"
    return ProcessSpec(
        name="forkserver",
        argv=(
            *PYTHON,
            "pytest_flyteperf.engine.forkserver",
            f"--socket={layout.run / 'fork'}",
            f"--ready-file={ready}",
        ),
        log=layout.log("forkserver"),
        cwd=str(project),
        probe=FileProbe(path=str(ready)),
        order=20,
    )


def kubelet(layout: Layout, kubeconfig: str, environment: dict[str, str]) -> ProcessSpec:
    """Build the process kubelet: the cluster's only node."""
    ready = layout.run / "kubelet.ready"
    config = layout.run / "kubelet.json"
    layout.pod_logs.mkdir()
    layout.pod_scratch.mkdir()
    settings = {
        "kubeconfig": kubeconfig,
        "forkserver_socket": str(layout.run / "fork"),
        "log_dir": str(layout.pod_logs),
        "scratch_dir": str(layout.pod_scratch),
        "slots": pod_slots(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "node_name": NODE,
        "ready_file": str(ready),
        "environment": environment,
    }
    config.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return ProcessSpec(
        name="kubelet",
        argv=(*PYTHON, "pytest_flyteperf.engine.kubelet", f"--config={config}"),
        log=layout.log("kubelet"),
        cwd=str(layout.run),
        probe=FileProbe(path=str(ready)),
        # It waits for the API server by itself, and imports what it needs meanwhile.
        after=("forkserver",),
        order=30,
    )


def has_user_xattrs(folder: Path) -> bool:
    """Tell whether files in a folder can carry extended attributes of the user's."""
    probe = folder / ".xattr"
    probe.touch()
    try:
        os.setxattr(probe, "user.flyteperf", b"1")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def _variables(*prefixes: str) -> tuple[str, ...]:
    """Name the variables through which the user's environment could configure a program."""
    return tuple(name for name in os.environ if name.startswith(prefixes))
