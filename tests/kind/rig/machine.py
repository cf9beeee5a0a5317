"""Whether this machine can run kind by the rig, and why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

LEAST_DISK = 12 << 30
"""Bytes: Go's caches 5 GB, images 3 GB, a node 1 GB, and room to work in."""
LEAST_MEMORY = 6 << 30
PACKAGES = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap"}
CAP_SYS_RESOURCE = 24


def why_not() -> str | None:
    """The reason why kind cannot run here; None if it can."""
    free = shutil.disk_usage(Path.home()).free
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    asked = {
        "the rig is for Linux on x86-64": os.uname().sysname == "Linux"
        and os.uname().machine == "x86_64",
        "making a kind node and starting dockerd takes root": os.geteuid() == 0,
        "tasks run in Debian 12's Python 3.11, and this is another": sys.version_info[:2]
        == (3, 11),
        "the node is made from Debian 12's packages, and this is no Debian 12": 'VERSION_ID="12"'
        in _read("/etc/os-release"),
        "there are no cgroups": Path("/sys/fs/cgroup").is_mount(),
        f"{free >> 30} GiB free in {Path.home()}, {LEAST_DISK >> 30} needed": free >= LEAST_DISK,
        f"{memory >> 30} GiB of memory, {LEAST_MEMORY >> 30} needed": memory >= LEAST_MEMORY,
    }
    return next((reason for reason, there in asked.items() if not there), None)


def install() -> None:
    """Install what is missing of Debian's packages."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (("update",), ("install", "-y", "--no-install-recommends", *missing)):
            subprocess.run(
                ("apt-get", "-q", *arguments),
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )


def lacks_sys_resource() -> bool:
    """Whether even root here may not have CAP_SYS_RESOURCE, as in some sandboxes."""
    bounding = next(
        line for line in _read("/proc/self/status").splitlines() if line.startswith("CapBnd:")
    )
    return not int(bounding.split()[1], 16) >> CAP_SYS_RESOURCE & 1


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
