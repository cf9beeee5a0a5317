"""Build the engine's programs, once per machine and digest.

Two Go modules lie beside this file. `go/tools` names upstream's kube-apiserver, etcd and S3
gateway; `go/flyte` holds our two programs, FlytePropeller and the stand-in for FlyteAdmin. Each is
built into a folder of its own, so that an edit of ours never builds kube-apiserver again. A folder
is named by the digest of all that goes into it: sources, go.mod, go.sum, Go's version and settings,
flags. Go's own caches stay where Go keeps them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine import store
from pytest_flyteperf.engine.flyte import (
    Binary,
    Checkout,
    Release,
    hash_sources,
    prepare,
    resolve,
    sources_digest,
)
from pytest_flyteperf.engine.golang import Go, find_go, go_directive, run_go, version_tuple
from pytest_flyteperf.engine.supplied import Supplied, file_digest, find_supplied
from pytest_flyteperf.errors import BuildError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.paths import cache_dir
from pytest_flyteperf.progress import Beat, Progress, elapsed, silent

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES = Path(__file__).parent / "go"
"""Our Go modules, as files of this package."""
TOOLS = {
    "kube-apiserver": ("k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes"),
    "etcd": ("go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    "versitygw": ("github.com/versity/versitygw/cmd/versitygw", "github.com/versity/versitygw"),
}
"""Program to its Go package and the module whose version it has."""
OURS = {"flyteperf-propeller": "./cmd/propeller", "flyteperf-admin": "./cmd/admin"}
"""Program to its Go package."""
TOOLS_FREE_BYTES = 4 << 30
"""Free space that building the tools asks for: 2.5 GB go to Go's build cache, 0.8 to modules."""
FLYTE_FREE_BYTES = 3 << 30
"""Likewise, for the first build of a Flyte: 1.5 GB are modules."""
AGAIN_FREE_BYTES = 1 << 30
"""For a further one: two programs of 100 MB, and the few packages that differ."""
_SUPPLIABLE = ("kube-apiserver", "etcd")
_DIGITS = 16
_FLYTEPROPELLER = "github.com/flyteorg/flyte/flytepropeller"


class Engine(Frozen, frozen=True):
    """The built programs (paths) and what they are."""

    etcd: str
    kube_apiserver: str
    s3_gateway: str
    propeller: str | None
    """None where `full_flyte` runs instead, as for `admin`."""
    admin: str | None
    full_flyte: str | None
    """A `flyte` program of the user's."""
    flyte: str
    """Which Flyte, as the user named it."""
    tools_digest: str
    """Of etcd, kube-apiserver and the S3 gateway."""
    flyte_digest: str
    """Of what Flyte is built from, our own sources included: the subject's, never a key."""
    digest: str
    """Of all."""
    versions: dict[str, str]
    """Program to its version; `flyte` and `go` too."""


def ensure_engine(
    progress: Progress = silent, flyte: str | None = None, *, root: Path | None = None
) -> Engine:
    """Return the engine for a Flyte, building what is not in the cache.

    `flyte` is a release (`v1.16.8`), a source checkout, or a `flyte` program; without it, the
    pinned release. `root` is the cache's folder of engines.

    Raises:
        UsageError: `flyte` names none.
        BuildError: no Go, no room, a module cannot be fetched, or a source does not compile.
    """
    root = root or cache_dir() / "engine"
    pinned = _pinned()
    which = resolve(flyte, pinned)
    least = (go_directive(MODULES / name / "go.mod") for name in ("tools", "flyte"))
    go = find_go(max(least, key=version_tuple))
    tools = _ensure_tools(root, go, progress)
    if isinstance(which, Binary):
        digest = file_digest(Path(which.path))[:_DIGITS]
        ours: dict[str, str] = {}
    else:
        folder = _ensure_flyte(root, go, which, pinned, progress)
        digest = folder.name.removeprefix("flyte-")
        ours = {name: str(folder / name) for name in OURS}
    return Engine(
        etcd=tools.programs["etcd"],
        kube_apiserver=tools.programs["kube-apiserver"],
        s3_gateway=tools.programs["versitygw"],
        propeller=ours.get("flyteperf-propeller"),
        admin=ours.get("flyteperf-admin"),
        full_flyte=which.path if isinstance(which, Binary) else None,
        flyte=flyte or pinned,
        tools_digest=tools.digest,
        flyte_digest=digest,
        digest=_digest(tools.digest, digest),
        versions=tools.versions | {"flyte": flyte or pinned, "go": go.version},
    )


def is_program(flyte: str | None) -> bool:
    """Tell whether a reference names a `flyte` program; builds nothing.

    Raises:
        UsageError: it names no Flyte.
    """
    return isinstance(resolve(flyte, _pinned()), Binary)


def clean_engines(progress: Progress = silent, *, root: Path | None = None) -> int:
    """Remove all cached engines but those that run; return the bytes freed."""
    return store.clean(root or cache_dir() / "engine", progress)


class _Tools(Frozen, frozen=True):
    programs: dict[str, str]
    versions: dict[str, str]
    digest: str


class _Recipe(Frozen, frozen=True):
    """What `go build` is asked for."""

    module: Path
    programs: dict[str, str]
    """Program to its Go package."""
    flags: tuple[str, ...]
    mod: str = "readonly"
    """`mod` where go.mod was changed and Go may complete it."""


def _ensure_tools(root: Path, go: Go, progress: Progress) -> _Tools:
    module = MODULES / "tools"
    required = _required(module / "go.mod")
    pinned = {name: required[source] for name, (_, source) in TOOLS.items()}
    supplied = find_supplied({name: pinned[name] for name in _SUPPLIABLE}, progress)
    built = {name: package for name, (package, _) in TOOLS.items() if name not in supplied}
    flags = _flags(
        {
            "k8s.io/component-base/version.gitVersion": pinned["kube-apiserver"],
            "main.Version": pinned["versitygw"],
        }
    )
    digest = _digest(
        (module / "go.mod").read_text(),
        (module / "go.sum").read_text(),
        go.shaping,
        flags,
        sorted(built),
        {name: program.digest for name, program in supplied.items()},
    )

    def make(folder: Path) -> None:
        _check_room(root, go, TOOLS_FREE_BYTES)
        _build(go, _Recipe(module=module, programs=built, flags=flags), folder, progress)

    folder = store.obtain(root, f"tools-{digest}", built, make, progress)
    return _Tools(
        programs={name: _path(name, folder, supplied) for name in TOOLS},
        versions={n: supplied[n].version if n in supplied else pinned[n] for n in TOOLS},
        digest=digest,
    )


def _ensure_flyte(
    root: Path, go: Go, which: Release | Checkout, pinned: str, progress: Progress
) -> Path:
    module = MODULES / "flyte"
    flags = _flags({})
    sources = hashlib.sha256()
    hash_sources(sources, module, module)
    told = sources_digest(which) if isinstance(which, Checkout) else which.version
    digest = _digest(sources.hexdigest(), told, go.shaping, flags)

    def make(folder: Path) -> None:
        first = not any(root.glob("flyte-*"))
        _check_room(root, go, FLYTE_FREE_BYTES if first else AGAIN_FREE_BYTES)
        recipe = _Recipe(module=module, programs=OURS, flags=flags)
        if which == Release(version=pinned):
            _build(go, recipe, folder, progress)
            return
        variant = folder / "source"
        prepare(go, module, which, variant, _log(root))
        changed = msgspec.structs.replace(recipe, module=variant, mod="mod")
        _build(go, changed, folder, progress)
        shutil.rmtree(variant)

    return store.obtain(root, f"flyte-{digest}", OURS, make, progress)


def _build(go: Go, recipe: _Recipe, folder: Path, progress: Progress) -> None:
    """Build a recipe's programs into `folder`, telling what is compiled."""
    started = time.monotonic()
    log = _log(folder.parent)
    work = folder / "work"
    work.mkdir()
    # Go's own work folder lies where the programs will: of a killed build, both go together.
    environment = {} if os.environ.get("GOTMPDIR") else {"GOTMPDIR": str(work)}
    packages = list(dict.fromkeys(recipe.programs.values()))
    options = (f"-mod={recipe.mod}", *recipe.flags)

    def run(verb: str, *arguments: str, counted: _Count) -> str:
        return run_go(
            go,
            verb,
            *options,
            *arguments,
            *packages,
            cwd=recipe.module,
            log=log,
            environment=environment,
            on_line=counted,
        )

    fetching = Beat(progress, "engine: fetching Go modules")
    fetched = _Count(fetching, "go: downloading ", "{count:,} fetched, last {last}")
    most = len(run("list", "-deps", counted=fetched).splitlines())

    names = ", ".join(recipe.programs)
    building = Beat(progress, f"engine: building {names}")
    compiled = _Count(building, "", f"{{count:,}} of at most {most:,} packages, last {{last}}")
    run("build", "-v", "-o", f"{folder}{os.sep}", counted=compiled)

    for name, package in recipe.programs.items():
        output = folder / _output(package)
        if output.exists():
            output.rename(folder / name)
    shutil.rmtree(work, ignore_errors=True)
    log.unlink(missing_ok=True)
    progress(f"engine: built {names} in {elapsed(time.monotonic() - started)}")


class _Count:
    """Counts the lines of Go's that begin with `prefix`, and tells them on the beat."""

    def __init__(self, beat: Beat, prefix: str, told: str) -> None:
        self._beat = beat
        self._prefix = prefix
        self._told = told
        self._count = 0
        self._last = ""

    def __call__(self, line: str | None) -> None:
        if line is not None and line.startswith(self._prefix):
            self._count += 1
            self._last = line.removeprefix(self._prefix)
        self._beat.tick(
            self._told.format(count=self._count, last=self._last) if self._count else ""
        )


def _flags(variables: Mapping[str, str]) -> tuple[str, ...]:
    """How programs are built: without symbols and paths, with versions where they have such."""
    stamps = (f"-X {name}={value}" for name, value in variables.items())
    return ("-trimpath", "-buildvcs=false", f"-ldflags={' '.join(('-s -w', *stamps))}")


def _required(go_mod: Path) -> dict[str, str]:
    """Module path to version, of all requirements in a go.mod."""
    found = re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", go_mod.read_text(), re.MULTILINE)
    return dict(found)


def _pinned() -> str:
    """The release of Flyte that the engine is made for."""
    return _required(MODULES / "flyte" / "go.mod")[_FLYTEPROPELLER]


def _output(package: str) -> str:
    """The name `go build` gives to a package's program: its last element but a major version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _path(name: str, folder: Path, supplied: Mapping[str, Supplied]) -> str:
    return supplied[name].path if name in supplied else str(folder / name)


def _log(root: Path) -> Path:
    """What Go said in the last build, if that failed."""
    return root / "build.log"


def _check_room(root: Path, go: Go, needed: int) -> None:
    """Refuse to build on a disk that would run full on the way."""
    for what, folder in (("engine's cache", root), ("Go's build cache", Path(go.build_cache))):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < needed:
            raise BuildError(
                f"{folder}: {free / (1 << 30):.1f} GiB free, a build needs "
                f"{needed / (1 << 30):.0f} GiB in the {what}; free some space, or set "
                "FLYTEPERF_CACHE and GOCACHE to a larger disk"
            )


def _digest(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:_DIGITS]
