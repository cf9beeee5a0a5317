"""Which Flyte a reference names, and how our Go module is made to build with it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.golang import Go, run_go, version_tuple
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = ("flyteidl", "flyteplugins", "flytepropeller", "flytestdlib")
"""Flyte's own modules that FlytePropeller is built from."""
_PREFIX = "github.com/flyteorg/flyte/"
_RELEASE = re.compile(r"v\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_ENDPOINT = re.compile(r"(?:dns:///|https?://)[^\s/]+|[\w.-]+:\d+")
_CHART = re.compile(r"^oci://|\.tgz$")
_FIRST_RELEASE = "v1.16.8"
"""The first whose FlytePropeller can be had as a Go module."""


class Release(Frozen, frozen=True, tag=True):
    """A published version of Flyte's Go modules."""

    version: str


class Checkout(Frozen, frozen=True, tag=True):
    """A folder with Flyte's sources, edited or not."""

    path: str


class Binary(Frozen, frozen=True, tag=True):
    """A `flyte` program: FlyteAdmin, DataCatalog and FlytePropeller in one."""

    path: str


Flyte = Release | Checkout | Binary


def resolve(reference: str | None, pinned: str) -> Flyte:
    """Say what `reference` names; without one, release `pinned`.

    Raises:
        UsageError: it names no Flyte that can run on the local cluster.
    """
    if reference is None:
        return Release(version=pinned)
    path = Path(reference).expanduser()
    foreign = _foreign(reference, path)
    if foreign is not None:
        raise UsageError(
            f"{reference}: is {foreign}; the local cluster takes a release like {pinned}, a source "
            "checkout or a `flyte` program"
        )
    if path.is_dir():
        absent = [name for name in MODULES if not (path / name / "go.mod").is_file()]
        if absent:
            raise UsageError(
                f"{reference}: has no {absent[0]}/go.mod; give the root of a checkout of Flyte"
            )
        return Checkout(path=str(path.resolve()))
    if path.is_file():
        if not os.access(path, os.X_OK):
            raise UsageError(f"{reference}: is not executable; give a `flyte` program")
        return Binary(path=str(path.resolve()))
    if _RELEASE.fullmatch(reference):
        if version_tuple(reference) < version_tuple(_FIRST_RELEASE):
            raise UsageError(
                f"{reference}: FlytePropeller before {_FIRST_RELEASE} was not published as a Go "
                "module; give a source checkout of it, or its `flyte` program"
            )
        return Release(version=reference)
    raise UsageError(
        f"{reference}: is no release like {pinned}, no source checkout and no `flyte` program"
    )


def _foreign(reference: str, path: Path) -> str | None:
    """What a reference names that another kind of cluster takes; None if it is nothing such."""
    if (path / "Chart.yaml").is_file() or _CHART.search(reference):
        return "a chart, which needs helm"
    if _ENDPOINT.fullmatch(reference):
        return "the endpoint of a Flyte that runs already"
    return None


def prepare(go: Go, source: Path, flyte: Release | Checkout, folder: Path, log: Path) -> None:
    """Copy our module from `source` to `folder`, its go.mod changed to build this Flyte."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*_test.go", "testdata"))
    edits = []
    if isinstance(flyte, Release):
        edits += [f"-replace={_PREFIX}{n}={_PREFIX}{n}@{flyte.version}" for n in MODULES]
    else:
        checkout = Path(flyte.path)
        edits += _replaces(go, checkout / "flytepropeller", log)
        edits += [f"-replace={_PREFIX}{name}={checkout / name}" for name in MODULES]
        _add_sums(checkout / "flytepropeller" / "go.sum", folder / "go.sum")
    run_go(go, "mod", "edit", *edits, cwd=folder, log=log)


def sources_digest(flyte: Checkout) -> str:
    """SHA-256 over what FlytePropeller is built from: file names and contents."""
    digest = hashlib.sha256()
    root = Path(flyte.path)
    for name in MODULES:
        hash_sources(digest, root / name, root)
    return digest.hexdigest()


def hash_sources(digest: hashlib._Hash, module: Path, root: Path) -> None:
    """Add a Go module's sources to `digest`: not tests, but all that `go:embed` may take in."""
    for path in _sources(module):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode())
        digest.update(content)
        if path.suffix == ".go" and b"//go:embed" in content:
            for asset in sorted(p for p in path.parent.rglob("*") if p.is_file()):
                digest.update(f"{asset.relative_to(root)}\0".encode() + asset.read_bytes())


def _sources(module: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(module):
        names[:] = sorted(n for n in names if n not in {"testdata", "vendor"} and n[0] not in "._")
        for name in sorted(files):
            path = Path(folder, name)
            built = path.suffix in {".go", ".s"} and not name.endswith("_test.go")
            if built or name in {"go.mod", "go.sum"}:
                yield path


def _replaces(go: Go, module: Path, log: Path) -> list[str]:
    """The replaces of a module's own go.mod that are not of Flyte's modules."""
    stated = json.loads(run_go(go, "mod", "edit", "-json", cwd=module, log=log))
    edits = []
    for replace in stated.get("Replace") or ():
        old, new = replace["Old"], replace["New"]
        if old["Path"].removeprefix(_PREFIX) in MODULES:
            continue
        target = new["Path"]
        if target.startswith("."):
            target = str((module / target).resolve())
        edits.append(f"-replace={_at(old['Path'], old)}={_at(target, new)}")
    return edits


def _at(path: str, module: dict[str, str]) -> str:
    return f"{path}@{module['Version']}" if module.get("Version") else path


def _add_sums(theirs: Path, ours: Path) -> None:
    """Let a checkout's dependencies be checked by its own go.sum, which need not be looked up."""
    if theirs.is_file():
        lines = {*ours.read_text().splitlines(), *theirs.read_text().splitlines()}
        ours.write_text("\n".join(sorted(lines)) + "\n")
