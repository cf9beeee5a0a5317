"""What a measurement depends on besides what is measured: the machine, the cluster, the admin."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.model import AdminKind, Environment, Machine

if TYPE_CHECKING:
    from pytest_flyteperf.model import Cluster

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_GIB = 2**30
_MIB = 2**20


def gather_machine(
    engine_digest: str | None, *, cpuinfo: Path = _CPUINFO, meminfo: Path = _MEMINFO
) -> Machine:
    """Describe this machine, as far as it sets absolute times.

    The CPUs counted are those this process may run on: a container's, not its host's.
    """
    return Machine(
        engine_digest=engine_digest,
        cpu_model=_cpu_model(cpuinfo),
        cpu_count=len(os.sched_getaffinity(0)),
        memory_class=memory_class(_memory_bytes(meminfo)),
        kernel=platform.release(),
    )


def gather_environment(  # noqa: PLR0913 # each is part of the key
    cluster: Cluster,
    admin: AdminKind,
    database: str,
    *,
    engine_digest: str | None,
    kubelet_slots: int | None,
    chart: str | None = None,
) -> Environment:
    """Describe where a deployment on this machine's cluster is measured.

    Where a process kubelet runs tasks, with `kubelet_slots`, this Python and flytekit shape their
    time; elsewhere their image has its own.
    """
    here = kubelet_slots is not None
    return Environment(
        cluster_kind=cluster.kind,
        admin_kind=admin,
        distribution=cluster.distribution,
        blob_store=cluster.blob_store,
        database=database,
        chart=chart,
        machine=gather_machine(engine_digest),
        kubelet_slots=kubelet_slots,
        python=_python() if here else None,
        flytekit=version("flytekit") if here else None,
    )


def _python() -> str:
    """Implementation and version without its last number, e.g. `CPython 3.11`."""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"


def memory_class(size_bytes: int) -> str:
    """The power of two nearest to a machine's memory: what it is sold as, less what firmware takes.

    >>> memory_class(25_128_316_928), memory_class(16 * 2**30), memory_class(900 * 2**20)
    ('32GiB', '16GiB', '1GiB')
    """
    mib = max(1, size_bytes // _MIB)
    lower = 1 << (mib.bit_length() - 1)
    nearest = lower if mib * mib <= 2 * lower * lower else 2 * lower
    return f"{nearest // 1024}GiB" if nearest >= _GIB // _MIB else f"{nearest}MiB"


def _cpu_model(cpuinfo: Path) -> str:
    """The model as the kernel names it; ARM has none there, but numbers of maker and part."""
    text = cpuinfo.read_text(errors="replace")
    for wanted in ("model name", "Hardware", "cpu model"):
        found = re.search(rf"^{wanted}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    maker = re.search(r"^CPU implementer\s*:\s*(\S+)", text, re.MULTILINE)
    part = re.search(r"^CPU part\s*:\s*(\S+)", text, re.MULTILINE)
    if maker and part:
        return f"{platform.machine()} {maker[1]}:{part[1]}"
    return platform.machine()


def _memory_bytes(meminfo: Path) -> int:
    found = re.search(r"^MemTotal:\s*(\d+) kB", meminfo.read_text(), re.MULTILINE)
    if found is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(found[1]) * 1024
