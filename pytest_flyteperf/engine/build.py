"""Build the engine's programs, once per machine and digest.

Two Go modules lie beside this file. `go/tools` names upstream's kube-apiserver, etcd and S3
gateway; `go/flyte` holds our two programs, FlytePropeller and the stand-in for FlyteAdmin. Each is
built into a folder of its own, so that an edit of ours never builds kube-apiserver again. A folder
is named by the digest of all that goes into it: sources, go.mod, go.sum, Go's version and settings,
flags. Go's own caches stay where Go keeps them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine import store
from pytest_flyteperf.engine.compiling import Recipe, compile_all
from pytest_flyteperf.engine.flyte import (
    Binary,
    Checkout,
    Release,
    hash_sources,
    prepare,
    resolve,
    sources_digest,
)
from pytest_flyteperf.engine.golang import Go, find_go, go_directive, version_tuple
from pytest_flyteperf.engine.supplied import Supplied, file_digest, find_supplied
from pytest_flyteperf.errors import BuildError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.paths import cache_dir
from pytest_flyteperf.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
_VARIANT = "source"
"""Folder of a changed copy of our module."""
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
    tools = _tools(go, progress)
    jobs = [tools.job]
    if isinstance(which, Binary):
        flyte_digest = file_digest(Path(which.path))[:_DIGITS]
    else:
        jobs.append(_flyte(go, which, pinned))
        flyte_digest = jobs[-1].digest
    folders = _ensure(root, go, jobs, progress)
    programs = {name: program.path for name, program in tools.supplied.items()} | {
        name: str(folders[job.folder] / name) for job in jobs for name in job.programs
    }
    return Engine(
        etcd=programs["etcd"],
        kube_apiserver=programs["kube-apiserver"],
        s3_gateway=programs["versitygw"],
        propeller=programs.get("flyteperf-propeller"),
        admin=programs.get("flyteperf-admin"),
        full_flyte=which.path if isinstance(which, Binary) else None,
        flyte=flyte or pinned,
        tools_digest=tools.job.digest,
        flyte_digest=flyte_digest,
        digest=_digest(tools.job.digest, flyte_digest),
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


class _Job(Frozen, frozen=True):
    """One module's programs, and what `go build` is asked for."""

    kind: str
    """`tools` or `flyte`."""
    digest: str
    """Of all that goes into them."""
    module: Path
    programs: dict[str, str]
    """Program to its Go package."""
    flags: tuple[str, ...]
    variant: Release | Checkout | None = None
    """The Flyte to build in place of the one that the module pins."""

    @property
    def folder(self) -> str:
        """Name in the cache."""
        return f"{self.kind}-{self.digest}"


class _Tools(Frozen, frozen=True):
    job: _Job
    supplied: dict[str, Supplied]
    """Programs that need not be built."""
    versions: dict[str, str]


def _tools(go: Go, progress: Progress) -> _Tools:
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
    return _Tools(
        job=_Job(kind="tools", digest=digest, module=module, programs=built, flags=flags),
        supplied=supplied,
        versions={n: supplied[n].version if n in supplied else pinned[n] for n in TOOLS},
    )


def _flyte(go: Go, which: Release | Checkout, pinned: str) -> _Job:
    module = MODULES / "flyte"
    flags = _flags({})
    sources = hashlib.sha256()
    hash_sources(sources, module, module)
    told = sources_digest(which) if isinstance(which, Checkout) else which.version
    return _Job(
        kind="flyte",
        digest=_digest(sources.hexdigest(), told, go.shaping, flags),
        module=module,
        programs=OURS,
        flags=flags,
        variant=None if which == Release(version=pinned) else which,
    )


def _ensure(root: Path, go: Go, jobs: Sequence[_Job], progress: Progress) -> dict[str, Path]:
    """The folders of the jobs' programs, by name; what is not there is built, all at once."""

    def make(temporary: Mapping[str, Path]) -> None:
        missing = [job for job in jobs if job.folder in temporary]
        _check_room(root, go, sum(_room(root, job) for job in missing))
        recipes = [
            _recipe(go, job, temporary[job.folder], root / f"build-{job.kind}.log")
            for job in missing
        ]
        compile_all(go, recipes, progress)
        for folder in temporary.values():
            shutil.rmtree(folder / _VARIANT, ignore_errors=True)

    return store.obtain(root, {job.folder: job.programs for job in jobs}, make, progress)


def _recipe(go: Go, job: _Job, folder: Path, log: Path) -> Recipe:
    recipe = Recipe(
        module=job.module, programs=job.programs, flags=job.flags, folder=folder, log=log
    )
    if job.variant is None:
        return recipe
    variant = folder / _VARIANT
    prepare(go, job.module, job.variant, variant, log)
    return msgspec.structs.replace(recipe, module=variant, mod="mod")


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


def _room(root: Path, job: _Job) -> int:
    """Free bytes that building a job asks for."""
    if job.kind == "tools":
        return TOOLS_FREE_BYTES
    return AGAIN_FREE_BYTES if any(root.glob("flyte-*")) else FLYTE_FREE_BYTES


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
