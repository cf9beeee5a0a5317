"""Lines of Propeller's JSON log: what is read of one, and the sentences that mark its loop.

The formatter of flytestdlib puts the context's fields under `json`; logrus' own under `data`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PICKED_UP: Final = "Processing Workflow"
"""A worker begins a handle (`P/handler.go:186`)."""
ROUND: Final = re.compile(r"Handling Workflow \[[^\]]*\], id: .*\bp \[(\w+)\]$", re.DOTALL)
"""A round begins, in this phase of the workflow."""
UNCHANGED: Final = "WF hasn't been updated in this round"
"""A round ends without a write."""
NODE_EVENT: Final = "Recording NodeEvent"


class LogLine(NamedTuple):
    """What is read of a line."""

    number: int
    """Within its file, from 1."""
    stamp: str
    """As logged: whole seconds."""
    message: str
    execution: str
    """Empty where the line is of none."""
    node: str


class _Fields(msgspec.Struct):
    exec_id: str = ""
    node: str = ""


class _Line(msgspec.Struct):
    msg: str = ""
    ts: str = ""
    fields: _Fields = msgspec.field(name="json", default_factory=_Fields)
    message: str = ""
    timestamp: str = ""
    data: _Fields = msgspec.field(default_factory=_Fields)


def read_log(lines: Iterable[bytes]) -> Iterator[LogLine | None]:
    """Each line that is not empty; None for one that is no JSON object: truncated or foreign."""
    decoder = msgspec.json.Decoder(_Line)
    for number, content in enumerate(lines, 1):
        if not content.strip():
            continue
        try:
            line = decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield None
            continue
        fields = line.fields if line.fields.exec_id else line.data
        yield LogLine(
            number,
            line.ts or line.timestamp,
            line.msg or line.message,
            fields.exec_id,
            fields.node,
        )
