"""YAML files: a user's, read small, plain and with the line of every key; and ours, written.

A mapping says each key once, also to readers that fold case as Flyte's do. Anchors and aliases are
refused: no configuration needs them, and a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import yaml

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 64 * 1024
MAX_DEPTH = 50

Scalar = str | int | float | bool | None
Value = Scalar | list["Value"] | dict[str, "Value"]


class Document(Frozen, frozen=True):
    """A mapping read from a file."""

    path: str
    text: str
    content: dict[str, Value]
    lines: dict[tuple[str, ...], int]
    """Path of a key, lower case, to its line; keys within lists are not listed."""

    def where(self, *keys: str) -> str:
        """`FILE:LINE` of a key."""
        line = self.lines.get(tuple(key.lower() for key in keys))
        return f"{self.path}:{line}" if line else self.path


def read_yaml(path: Path) -> Document:
    """Read a mapping.

    Raises:
        UsageError: it is no such file, too large, not YAML, or has what is refused.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a readable file") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES // 1024} KiB; that is no configuration")
    try:
        text = raw.decode()
        reader = _Reader(path, text)
        content = reader.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        reason = " ".join(str(error.problem or error.context).split())
        raise UsageError(f"{path}{line}: not YAML: {reason}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return Document(path=str(path), text=text, content=content, lines=reader.lines)


def write_yaml(folder: Path, name: str, config: Mapping[str, Value]) -> str:
    """Write a configuration, which may hold keys, for this user alone; return its path.

    Raises:
        OSError: it is there already, or the folder cannot be written.
    """
    path = folder / f"{name}.yaml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        # Through JSON: a value that occurs twice would become an alias.
        yaml.safe_dump(json.loads(json.dumps(config)), file, sort_keys=False)
    return str(path)


class _Reader:
    """Turns the nodes of a YAML text into values."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._constructor = yaml.SafeLoader("")
        self.lines: dict[tuple[str, ...], int] = {}

    def read(self) -> dict[str, Value]:
        self._check_events()
        root = yaml.compose(self._text, _LOADER)
        if root is None or root.tag == _NULL:
            return {}
        if not isinstance(root, yaml.MappingNode):
            raise self._refuse(_line(root), "holds no sections; give `section: {key: value}`")
        return self._mapping(root, ())

    def _check_events(self) -> None:
        """Refuse what would be large or deep once it is composed."""
        depth = 0
        for event in yaml.parse(self._text, _LOADER):
            if getattr(event, "anchor", None) is not None:
                where = _line(event)
                raise self._refuse(where, "anchors and aliases are not taken; repeat it")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self._refuse(_line(event), f"nested deeper than {MAX_DEPTH} levels")

    def _value(self, node: yaml.Node, keys: tuple[str, ...] | None) -> Value:
        if node.tag not in _TAGS:
            raise self._refuse(_line(node), f"tag {node.tag} is not taken; remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, None) for item in node.value]
        try:
            value: Value = self._constructor.construct_object(node)
        except ValueError as error:
            raise self._refuse(_line(node), str(error)) from None
        if value is not None and not isinstance(value, str | int | float | bool):
            return str(node.value)  # a date, or bytes: Flyte reads it from text
        return value

    def _mapping(self, node: yaml.MappingNode, keys: tuple[str, ...] | None) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        said: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = _line(key_node) + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                raise self._refuse(_line(key_node), "a key is a word, not a structure")
            if key.lower() in said:
                earlier = said[key.lower()]
                raise self._refuse(
                    line - 1, f"{key} is said before, in line {earlier}; say it once"
                )
            said[key.lower()] = line
            path = None if keys is None else (*keys, key.lower())
            if path is not None:
                self.lines[path] = line
            mapping[key] = self._value(value_node, path)
        return mapping

    def _refuse(self, line: int, why: str) -> UsageError:
        return UsageError(f"{self._path}:{line + 1}: {why}")


def _line(thing: yaml.Node | yaml.Event) -> int:
    """The line where a node or event begins, from 0."""
    return thing.start_mark.line if thing.start_mark is not None else 0


# libyaml where PyYAML was built with it: ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_MERGE = f"{_CORE}merge"
_NULL = f"{_CORE}null"
_TAGS = {
    f"{_CORE}{name}" for name in ("map", "seq", "str", "null", "bool", "int", "float", "timestamp")
}
