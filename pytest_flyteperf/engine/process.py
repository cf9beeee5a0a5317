"""What a supervised process is: how to start it, when it is ready, how it ends.

These values pass between `provision` and `deploy`, which compose processes, and the supervisor,
which knows nothing of what they do. They travel as JSON over the control socket.
"""

from __future__ import annotations

import re
import signal
from enum import StrEnum
from pathlib import Path

import msgspec

CLUSTER_MARKER = "FLYTEPERF_CLUSTER_ID"
"""Environment variable of every process of a cluster: by it `reap` knows what is ours."""
PROCESS_MARKER = "FLYTEPERF_PROCESS"
"""Environment variable of a supervised process and its descendants: its name."""
TAIL_LINES = 20
"""How many last lines of its log a died process is reported with."""
_TAIL_BYTES = 16_384
_ESSENCE_CHARACTERS = 300
_CAUSES = (
    re.compile(
        r"no space left|quota exceeded|address already in use|permission denied"
        r"|too many open files|cannot allocate memory",
        re.IGNORECASE,
    ),
    re.compile(r"\bfatal\b|\bpanic\b|^F\d{4}", re.IGNORECASE),
    re.compile(r"\berror\b|\bfailed\b|^E\d{4}", re.IGNORECASE),
    re.compile(""),
)
"""What tells why a process ended, the most telling first."""
_JSON_FIELD = re.compile(r'"(?:msg|error)":"((?:[^"\\]|\\.)*)')
"""Of a line of JSON log, which a full disk may have cut short."""


class FileProbe(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="file"):
    """Ready when the file exists."""

    path: str


class TcpProbe(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="tcp"):
    """Ready when a connection is accepted."""

    address: str
    """`host:port`, or `unix:PATH`."""


class HttpProbe(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="http"):
    """Ready when a GET answers with status 200."""

    url: str
    """`http://` or `https://`, with a port."""
    ca: str | None = None
    """PEM file that the server's certificate must verify against (https)."""
    token_file: str | None = None
    """File with a bearer token; the token itself never travels."""


class GrpcProbe(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="grpc"):
    """Ready when `grpc.health.v1.Health/Check` answers SERVING (without TLS)."""

    target: str
    """`host:port`, or `unix:PATH`."""
    service: str = ""


Probe = FileProbe | TcpProbe | HttpProbe | GrpcProbe


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process for the supervisor to own."""

    name: str
    """Unique among the cluster's processes; shown to users."""
    argv: tuple[str, ...]
    """Program (looked up on PATH if it holds no slash) and its arguments."""
    log: str
    """File that stdout and stderr are appended to (created 0600)."""
    env: dict[str, str] = {}
    """Variables set over those of the supervisor."""
    unset: tuple[str, ...] = ()
    """Variables of the supervisor that the process shall not see."""
    cwd: str | None = None
    probe: Probe | None = None
    """When it counts as ready; without one, as soon as it runs."""
    ready_timeout_s: float = 60.0
    after: tuple[str, ...] = ()
    """Started once these are ready; all others start at once, in parallel."""
    stop_signal: int = signal.SIGTERM
    """Sent to the process's group. SIGKILL for one that ignores the rest."""
    grace_s: float = 5.0
    """From the stop signal to SIGKILL."""
    order: int = 0
    """Processes stop from the highest order to the lowest, equal ones together."""


class ProcessState(StrEnum):
    """Where a supervised process stands."""

    WAITING = "waiting"
    """For those it starts after."""
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    EXITED = "exited"


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A supervised process as the supervisor sees it."""

    name: str
    state: ProcessState
    pid: int | None = None
    """Process id and id of its group."""
    started_unix_ns: int | None = None
    ready_unix_ns: int | None = None
    exit: int | None = None
    """Exit code; minus the signal's number if a signal ended it."""
    log: str = ""


class ProcessDeath(msgspec.Struct, frozen=True, kw_only=True):
    """A process ended that nobody had asked to, or does not do its work."""

    name: str
    exit: int | None = None
    """As in `ProcessStatus`; None if it runs."""
    problem: str = ""
    """What is wrong with one that did not end, e.g. `not ready within 60 s`."""
    tail: tuple[str, ...] = ()
    """Last lines of its log."""
    log: str = ""
    """Path of the whole log."""

    def describe(self) -> str:
        """One line: which process, how it ended, and the most telling line of its log."""
        end = self.problem or ("failed" if self.exit is None else describe_exit(self.exit))
        said = essence(self.tail)
        return f"{self.name}: {end}" + (f": {said}" if said else "")


def describe_exit(code: int) -> str:
    """Say how a process ended, e.g. `exited with 1` or `killed by SIGKILL`."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def tail(log: str | Path, lines: int = TAIL_LINES) -> tuple[str, ...]:
    """Read the last lines of a log; empty if there is no log."""
    try:
        with Path(log).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    return tuple(text.splitlines()[-lines:])


def essence(lines: tuple[str, ...]) -> str:
    """Pick the line of a log that most likely says why its process ended."""
    said = [line.strip() for line in lines if line.strip()]
    telling = ([line for line in said if cause.search(line)] for cause in _CAUSES)
    found = next((line for line in telling if line), [""])[-1]
    if found.startswith("{"):
        found = ": ".join(_JSON_FIELD.findall(found)) or found
    return found[:_ESSENCE_CHARACTERS]
