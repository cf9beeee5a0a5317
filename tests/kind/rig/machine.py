"""Whether this machine can run kind by the rig, and why not."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kind.rig.command import RigError, run

LEAST_DISK = 12 << 30
"""Bytes: Go's caches 5 GB, images 3 GB, a node 1 GB, and room to work in."""
LEAST_MEMORY = 6 << 30
PACKAGES = {
    "dockerd": ("docker.io",),
    "mmdebstrap": ("mmdebstrap",),
    "gcc": ("gcc", "libc6-dev"),
    "setpriv": ("util-linux",),
}
"""By a program of theirs."""
APT = (
    *("apt-get", "--quiet", "--yes", "--option", "DPkg::Lock::Timeout=60"),
    *("--option", "Acquire::Retries=3", "--option", "Acquire::http::Timeout=20"),
)
APT_S = 300.0
ATTEMPTS = 4
PAUSE_S = 10.0
"""Between attempts: another apt may hold a lock, a mirror may be between two states."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask whether they may start a service."""
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
    """Install what is missing of Debian's packages; no service is started by that.

    Raises:
        RigError: apt cannot.
    """
    missing = [p for name, packages in PACKAGES.items() if not shutil.which(name) for p in packages]
    if not missing:
        return
    print(f"rig: installing {' '.join(missing)}", flush=True)
    with _no_services():
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _apt("update")
                _apt("install", "--no-install-recommends", *missing)
            except RigError as error:
                if attempt == ATTEMPTS:
                    raise
                print(f"rig: {error}; trying again", flush=True)
                time.sleep(PAUSE_S)
            else:
                return


def _apt(*arguments: str) -> None:
    run(*APT, *arguments, environment={"DEBIAN_FRONTEND": "noninteractive"}, most_s=APT_S)


@contextmanager
def _no_services() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


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
