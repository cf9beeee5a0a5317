"""A binary form of a FlyteWorkflow, to say how large one would be: never written anywhere.

The schema is that of protobuf's wire format without field descriptors: names of FlyteWorkflow's
own fields become numbers, whole numbers and strings of digits varints, stamps a varint of
nanoseconds, everything else its bytes with a length. It loses nothing: `decode` gives back what
`encode` took.
"""

from __future__ import annotations

import struct
from typing import Any

from pytest_flyteperf.analyze.stamps import SECOND_NS, unix_ns

FIELDS = (  # noqa: SIM905 -- two hundred quotes would hide the names
    "CPU acceptedAt apiVersion args attempts BitSet binding bindings branch branchStatus "
    "collection collectionType connections container count creationTimestamp dataDir defVersion "
    "domain downstream dynamic-node dynamicNodeStatus edges end-node env EnvironmentVariables "
    "EphemeralStorage error eventVersion execution-id executionConfig executionId failedAttempts "
    "finalNodeId finalizers flavor gateNodeStatus generatesDeck generation GPU id image "
    "inputBindings inputs integer interface Interruptible interruptible item key kind labels "
    "laStartedAt lastUpdatedAt launchPlanRefId limits Limits literals MaxParallelism Memory "
    "message metadata name namespace node-defaults nodeId nodes nodeStatus outputBindings "
    "outputRef outputs OverwriteCache parentNode phase phaseVersion primitive project promise psv "
    "pState queuedAt rawOutputDataConfig RecoveryExecution requests Requests resources "
    "resourceType resourceVersion retries run_as runtime scalar securityContext shard-key simple "
    "spec start-node startedAt status stoppedAt Storage subNodeStatus subWorkflowRef subWorkflows "
    "systemFailures task TaskNodeStatus TaskPluginImpls TaskResources tasks type uid updAt "
    "upstream value var variables version workflow workflow-name workflowClosureReference "
    "workflowMeta workflowNodeStatus arrayNodeStatus subphase subtphase subattempts "
    "subsysfailures subtimestamps"
).split()
"""Field n of the schema is the n-th name, from 1; other names are written out."""

_NUMBERS = {name: number for number, name in enumerate(FIELDS, 1)}
_NULL, _FALSE, _TRUE, _INT, _FLOAT, _TEXT, _DIGITS, _STAMP, _LIST, _MAP = range(10)
_CONSTANTS = {_NULL: None, _FALSE: False, _TRUE: True}
_DOUBLE = struct.Struct("<d")
_MAX_DIGITS = 18


def encode(value: Any) -> bytes:
    """The binary form of a JSON value."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def decode(content: bytes) -> Any:
    """The JSON value of a binary form."""
    return _Reader(content).value()


def _write(out: bytearray, value: Any) -> None:
    if value is None or isinstance(value, bool):
        out.append(_NULL if value is None else _TRUE if value else _FALSE)
    elif isinstance(value, int):
        out.append(_INT)
        _varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
    elif isinstance(value, float):
        out.append(_FLOAT)
        out += _DOUBLE.pack(value)
    elif isinstance(value, str):
        _text(out, value)
    elif isinstance(value, list):
        out.append(_LIST)
        _varint(out, len(value))
        for item in value:
            _write(out, item)
    else:
        out.append(_MAP)
        _varint(out, len(value))
        for name, item in value.items():
            number = _NUMBERS.get(name, 0)
            _varint(out, number)
            if not number:
                _bytes(out, name)
            _write(out, item)


def _text(out: bytearray, text: str) -> None:
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and text == str(int(text)):
        out.append(_DIGITS)
        _varint(out, int(text))
    elif (stamp := _whole_stamp(text)) is not None:
        out.append(_STAMP)
        _varint(out, stamp)
    else:
        out.append(_TEXT)
        _bytes(out, text)


def _whole_stamp(text: str) -> int | None:
    """Seconds of a Kubernetes stamp since the epoch, if it reads back the same."""
    if len(text) != len("2026-11-22T13:34:05Z") or text[-1:] != "Z":
        return None
    try:
        seconds = unix_ns(text) // SECOND_NS
    except (ValueError, IndexError):
        return None
    return seconds if seconds >= 0 and _stamp(seconds) == text else None


def _stamp(seconds: int) -> str:
    """The inverse of `unix_ns` for whole seconds: Howard Hinnant's `civil_from_days`."""
    days, of_day = divmod(seconds, 86_400)
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    clock = f"{of_day // 3600:02}:{of_day % 3600 // 60:02}:{of_day % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}Z"


def _bytes(out: bytearray, text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    _varint(out, len(content))
    out += content


def _varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def value(self) -> Any:
        kind = self._content[self._at]
        self._at += 1
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == _FLOAT:
            self._at += _DOUBLE.size
            return _DOUBLE.unpack_from(self._content, self._at - _DOUBLE.size)[0]
        return self._sized(kind, self._varint())

    def _sized(self, kind: int, number: int) -> Any:
        if kind == _LIST:
            return [self.value() for _ in range(number)]
        if kind == _MAP:
            return dict(self._item() for _ in range(number))
        if kind == _TEXT:
            return self._text(number)
        if kind == _INT:
            return -((number + 1) >> 1) if number & 1 else number >> 1
        return str(number) if kind == _DIGITS else _stamp(number)

    def _item(self) -> tuple[str, Any]:
        number = self._varint()
        name = FIELDS[number - 1] if number else self._text(self._varint())
        return name, self.value()

    def _text(self, size: int) -> str:
        self._at += size
        return self._content[self._at - size : self._at].decode("utf-8", "surrogatepass")

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._content[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
