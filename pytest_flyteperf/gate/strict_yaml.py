"""The part of YAML that our files use, read without trust: no aliases, tags, or repeated keys."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

MAX_DEPTH: Final = 24
MAX_DIGITS: Final = 32
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]{1,3})?")
_CONSTANTS: Final = {"null": None, "~": None, "": None, "true": True, "false": False}


class StrictYamlError(ValueError):
    """The text is no YAML that is accepted; the message says what and where."""


def loads(text: str) -> Any:
    """Read one document of plain mappings, lists, strings, integers, floats, booleans and nulls.

    Raises:
        StrictYamlError: broken YAML, or more than this.
    """
    try:
        return _Builder(text).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise StrictYamlError(f"{where}{getattr(error, 'problem', None) or error}") from None
    except UnicodeError:
        raise StrictYamlError("no text") from None
    except RecursionError:
        raise StrictYamlError("nested too deeply") from None


def dumps(value: Any) -> str:
    """Write a document that `loads` reads back: keys as they come, lists of scalars in a row."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=96, allow_unicode=True, indent=2)


class Row(dict[str, Any]):
    """A mapping that is written in one row."""


class _Builder:
    """Builds values from parser events, so that nothing is expanded before it is refused."""

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = iter(yaml.parse(text, Loader=loader))

    def document(self) -> Any:
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.DocumentStartEvent):
            raise StrictYamlError("the file is empty")
        value = self._value(next(self._events), 0)
        next(self._events)
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise StrictYamlError("more than one document")
        return value

    def _value(self, event: yaml.Event, depth: int) -> Any:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            raise StrictYamlError(f"line {line}: aliases are not accepted")
        if getattr(event, "anchor", None) is not None:
            raise StrictYamlError(f"line {line}: anchors are not accepted")
        if getattr(event, "tag", None) is not None:
            raise StrictYamlError(f"line {line}: tags are not accepted")
        if depth > MAX_DEPTH:
            raise StrictYamlError(f"line {line}: nested deeper than {MAX_DEPTH}")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(depth)
        return self._mapping(depth)

    def _list(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise StrictYamlError(f"line {line}: a key that is no word")
            if event.tag is not None or event.anchor is not None:
                raise StrictYamlError(f"line {line}: tags and anchors are not accepted")
            if event.value in items:
                raise StrictYamlError(f"line {line}: key {event.value!r} stands twice")
            items[event.value] = self._value(next(self._events), depth + 1)
        return items


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _scalar(event: yaml.ScalarEvent, line: int) -> str | int | float | bool | None:
    text: str = event.value
    if event.style:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise StrictYamlError(f"line {line}: a number of {len(text)} digits")
        return int(text)
    if len(text) <= MAX_DIGITS and _FLOAT.fullmatch(text):
        return float(text)
    return text


_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_BaseDumper):  # type: ignore[misc]  # libyaml's dumper where there is one
    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_list(dumper: Any, data: list[Any]) -> Any:
    flow = not any(isinstance(item, (list, dict)) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


def _represent_row(dumper: Any, data: Row) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(Row, _represent_row)
