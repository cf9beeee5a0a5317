"""What the fork server and its clients say: JSON lines over a unix socket.

A client that connects is told everything at once (`Hello`), then each event as it happens. A child
belongs to the server, not to the connection: it goes on when the client goes away, and its end is
kept until a client says `Forget`. Flytekit's own timers are too many words for that: a child
leaves them in a file beside its log.
"""

from __future__ import annotations

import msgspec


class Start(msgspec.Struct, frozen=True, tag_field="do", tag="start"):
    """Start `argv` as a child; `key` names it for good and is never used twice."""

    key: str
    argv: tuple[str, ...]
    env: dict[str, str]
    """The whole environment of the child."""
    log: str
    """File that receives standard output and error, appended to."""
    cwd: str = ""
    """Working folder; empty for the server's own, the project folder."""


class Stop(msgspec.Struct, frozen=True, tag_field="do", tag="stop"):
    """Send SIGTERM to a child's group, SIGKILL after `grace_ns`; without grace SIGKILL at once."""

    key: str
    grace_ns: int = 0


class Forget(msgspec.Struct, frozen=True, tag_field="do", tag="forget"):
    """The end of this child has been taken note of."""

    key: str


class Started(msgspec.Struct, frozen=True, tag_field="event", tag="started"):
    """A child runs the command."""

    key: str
    pid: int
    started_ns: int
    """Unix time, taken in the child as the last thing before the command."""


class Refused(msgspec.Struct, frozen=True, tag_field="event", tag="refused"):
    """The command could not be run; Kubernetes calls it StartError."""

    key: str
    message: str
    at_ns: int


class Exited(msgspec.Struct, frozen=True, tag_field="event", tag="exited"):
    """A child ended, and with it every process that it had left behind was killed."""

    key: str
    pid: int
    exit_code: int
    """As a shell counts: 128 + signal for a child that a signal ended."""
    signal: int
    """The signal that ended it, or 0."""
    oom_killed: bool
    """
    It was killed, not by this server, and the kernel's count of out-of-memory kills
    (`oom_kill` in /proc/vmstat) rose during its life.
    """
    started_ns: int
    finished_ns: int
    """Unix time at which the server reaped it."""
    max_rss_bytes: int
    """Of it or of the largest child that it waited for; pages shared with the server included."""
    cpu_ns: int
    """User and system time, its own and that of the children that it waited for."""
    read_bytes: int = 0
    """From disks, as for the processor; what the page cache had costs none."""
    written_bytes: int = 0
    """To disks: pages that it made dirty, 512 bytes to a block."""


class Hello(msgspec.Struct, frozen=True, tag_field="event", tag="hello"):
    """The server's state at the moment of connecting."""

    pid: int
    environment: dict[str, str]
    """What a container image would set: PATH with this interpreter first, HOME, locale, zone."""
    starting: tuple[str, ...]
    running: tuple[Started, ...]
    ended: tuple[Exited | Refused, ...]


STEPS = ".steps.json"
"""Takes the place of a log's suffix: the file in which a task's process leaves its `Steps`."""


class Step(msgspec.Struct, frozen=True):
    """One stretch that flytekit timed, Unix nanoseconds; its begin is known to the microsecond."""

    name: str
    start_ns: int
    end_ns: int


class Steps(msgspec.Struct, frozen=True):
    """What a container's process says of flytekit when that has returned."""

    started_ns: int
    returned_ns: int
    steps: list[Step]


Request = Start | Stop | Forget
Event = Hello | Started | Refused | Exited
End = Exited | Refused

_encoder = msgspec.json.Encoder()
decode_request = msgspec.json.Decoder(Request).decode
decode_event = msgspec.json.Decoder(Event).decode


def line(message: Request | Event) -> bytes:
    """One message as it goes over the socket, with its newline."""
    return _encoder.encode(message) + b"\n"


class Lines:
    """Cuts what arrives from a socket into whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
