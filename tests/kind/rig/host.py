"""What Docker and a kubelet change of the whole machine and do not put back."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kind.rig.command import run

SYSCTLS = (
    *("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory"),
    *("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "fs/file-max"),
    *("fs/protected_fifos", "fs/protected_regular", "fs/protected_symlinks"),
)
"""Of Docker, the kubelet, and systemd in a node that may do everything."""
TABLES = ("filter", "nat")
CHAIN = "-N DOCKER"
"""A machine that has it runs another Docker: its rules are not told from ours, and stay."""


@contextmanager
def restored() -> Iterator[None]:
    """Put back, after the block, what it changed: settings of the kernel and packet filters."""
    paths = (Path("/proc/sys", name) for name in SYSCTLS)
    settings = {path: path.read_text() for path in paths if path.exists()}
    rules = {table: _rules(table) for table in TABLES}
    try:
        yield
    finally:
        for path, value in settings.items():
            path.write_text(value)
        if CHAIN not in rules["filter"]:
            for table, before in rules.items():
                _restore(table, before)


def _rules(table: str) -> list[str]:
    """Policies, chains and rules, as arguments of iptables that make them."""
    if shutil.which("iptables") is None:
        return []
    return _iptables(table, "-S").splitlines()


def _restore(table: str, before: list[str]) -> None:
    new = [shlex.split(line) for line in _rules(table) if line not in before]
    for verb, chain, *rest in new:
        if verb == "-A":
            _iptables(table, "-D", chain, *rest)
    for verb, chain, *_ in new:
        if verb == "-N":
            _iptables(table, "-X", chain)
    for line in before:
        if line.startswith("-P"):
            _iptables(table, *line.split())


def _iptables(table: str, *arguments: str) -> str:
    return run("iptables", "-w", "-t", table, *arguments, undoes=True)
