"""The embedded engine's digest: half of what decides how long an operation takes on a machine.

It covers the tools and the code of ours that runs beside Flyte or says how things are started. What
is measured, which Flyte and its configuration, never enters: a baseline must be found again when
that changes. Comments, docstrings and layout do not count.
"""

from __future__ import annotations

import hashlib
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.build import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.engine.build import Engine

_PACKAGE = Path(__file__).parents[1]
_SHAPING = (
    "collect/watching.py",
    "deploy/config.py",
    "engine/forkserver/*.py",
    "engine/kubelet/*.py",
    "engine/otlp.py",
    "provision/programs.py",
)
"""What serves an execution, listens to it, or configures its programs."""
_PROGRAMS = ("cmd/*/*.go", "internal/**/*.go")
"""Our own Go. The versions in its go.mod are those that Flyte asks for: the subject's."""
_GO_REMARK = re.compile(r"\s*(//( .*)?)?")
_DIGITS = 16
_LAYOUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
)
_STATEMENT_ENDS = frozenset({tokenize.NEWLINE, tokenize.ENDMARKER})


def engine_digest(engine: Engine, *, package: Path = _PACKAGE, modules: Path = MODULES) -> str:
    """Digest of the tools and of our code; a full Flyte runs none of our Go programs."""
    digest = hashlib.sha256(engine.tools_digest.encode())
    for path in _files(package, _SHAPING):
        digest.update(f"\0{path.relative_to(package)}\0{python_code(path.read_text())}".encode())
    if engine.full_flyte is None:
        own = modules / "flyte"
        for path in _files(own, _PROGRAMS):
            if not path.name.endswith("_test.go"):
                digest.update(f"\0{path.relative_to(own)}\0{go_code(path.read_text())}".encode())
    return digest.hexdigest()[:_DIGITS]


def python_code(source: str) -> str:
    r"""The statements of a module, one a line, without comments, docstrings and layout.

    >>> python_code('"What it is."\nx = (1,  # one\n     2)')
    'x = ( 1 , 2 )'
    """
    lines: list[str] = []
    statement: list[str] = []
    depths: list[int] = []
    only_text = True
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if token.type in _STATEMENT_ENDS:
            if statement and not only_text:
                lines.append("\t" * depths[0] + " ".join(statement))
            statement, depths, only_text = [], [], True
        elif token.type not in _LAYOUT:
            statement.append(token.string)
            depths.append(depth)
            only_text = only_text and token.type == tokenize.STRING
    return "\n".join(lines)


def go_code(source: str) -> str:
    """The lines of a Go file that are no comments; what gofmt has laid out is left as it is."""
    return "\n".join(line for line in source.splitlines() if not _GO_REMARK.fullmatch(line))


def _files(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """The files that any of the patterns names, each once, in a stable order."""
    found = {path for pattern in patterns for path in root.glob(pattern)}
    if not found:
        raise AssertionError(f"{root}: none of {', '.join(patterns)}")
    yield from sorted(found)
