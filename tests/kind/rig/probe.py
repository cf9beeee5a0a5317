"""Whether kind makes a cluster on this machine at all, before the product is asked to.

A sandbox may run dockerd and still refuse what a node needs. That is no failure of the product's.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from tests.kind.rig.cache import ROOT, digest
from tests.kind.rig.command import run

CREATE_S = 240.0
READY_S = 120
"""Cluster DNS is ready when pods start and have a network."""
BOOT = Path("/proc/sys/kernel/random/boot_id")


def look(image: str, programs: Path) -> None:
    """Make a cluster of an image, wait for its system pods and delete it; once a boot.

    Raises:
        RigError: kind, or a pod, does not start here.
    """
    seen = ROOT / f"works-{digest(image, BOOT.read_text())}"
    if seen.exists():
        return
    print("rig: trying kind", flush=True)
    name = f"rig-{secrets.token_hex(4)}"
    chosen = ("--name", name)
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = str(Path(folder, "kubeconfig"))
        environment = {"KUBECONFIG": kubeconfig, "PATH": f"{programs}:{os.environ['PATH']}"}
        try:
            run(
                *("kind", "create", "cluster", *chosen, "--image", image),
                environment=environment,
                most_s=CREATE_S,
            )
            dns = ("rollout", "status", "deployment/coredns", "--namespace=kube-system")
            run(programs / "kubectl", *dns, f"--timeout={READY_S}s", environment=environment)
        finally:
            run("kind", "delete", "cluster", *chosen, environment=environment, undoes=True)
    seen.touch()
