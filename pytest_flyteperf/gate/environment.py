"""When two measurements may be compared: in full, by exact counts alone, or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from pytest_flyteperf.model import Environment


class Difference(Frozen, frozen=True):
    """One property in which two environments differ."""

    name: str
    before: str
    now: str

    def __str__(self) -> str:
        """As a clause."""
        return f"{self.name} {self.before} -> {self.now}"


def identity(environment: Environment) -> dict[str, str | None]:
    """What decides which operations an execution makes: exact counts hold wherever it is equal."""
    return {
        "cluster": environment.cluster_kind,
        "admin": environment.admin_kind.value,
        "distribution": environment.distribution,
        "blob store": environment.blob_store,
        "database": environment.database,
        "chart": environment.chart,
    }


def machine(environment: Environment) -> dict[str, str | None]:
    """What decides how long an operation takes: times hold only where it is equal too."""
    slots = environment.kubelet_slots
    return {
        "engine": environment.machine.engine_digest,
        "CPU": environment.machine.cpu_model,
        "CPUs": str(environment.machine.cpu_count),
        "memory": environment.machine.memory_class,
        "kernel": environment.machine.kernel,
        "kubelet slots": None if slots is None else str(slots),
        "Python": environment.python,
        "flytekit": environment.flytekit,
    }


def key(environment: Environment) -> str:
    """Name of the environment's folder, e.g. `local-stand-in-4cpu-1f03ab`.

    Properties without a value take no part, so that a property added later leaves older keys.
    """
    named = {**identity(environment), **machine(environment)}
    text = json.dumps({name: value for name, value in named.items() if value is not None})
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    cluster = re.sub(r"[^A-Za-z0-9._]+", "_", environment.cluster_kind)[:32] or "_"
    cpus = environment.machine.cpu_count
    return f"{cluster}-{environment.admin_kind.value}-{cpus}cpu-{digest}"


def same_identity(before: Environment, now: Environment) -> bool:
    """Whether exact counts may be compared."""
    return identity(before) == identity(now)


def differences(before: Environment, now: Environment) -> tuple[Difference, ...]:
    """In what two environments differ, identity first; empty where all may be compared."""
    old = {**identity(before), **machine(before)}
    new = {**identity(now), **machine(now)}
    return tuple(
        Difference(name=name, before=old[name] or "none", now=new[name] or "none")
        for name in old
        if old[name] != new[name]
    )


def nearness(before: Environment, now: Environment, recorded: str) -> tuple[bool, bool, str]:
    """Orders baselines of one identity, nearest last: engine digest, CPU count, newest.

    Args:
        before: environment of the baseline.
        now: environment of the measurement.
        recorded: ISO 8601 date of the baseline, in UTC.
    """
    return (
        before.machine.engine_digest == now.machine.engine_digest,
        before.machine.cpu_count == now.machine.cpu_count,
        recorded,
    )
