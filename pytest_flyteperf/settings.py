"""What the user asked for, from flags, environment and ini file.

A flag wins over its environment variable, that over the ini key, that over the default. Nothing
else in the package reads `os.environ` for a setting. This module is as light as `options`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.options import OPTIONS, Option

LEAST_BLOCK = 5
"""Fewest repeats of a block, where two Flytes are measured in turns."""


class Update(StrEnum):
    """Which baselines a run may write."""

    NONE = "none"
    NEW = "new"
    """Those of cases that have none here."""
    ALL = "all"
    """Those of all cases, in place of what is stored."""
    JOIN = "join"
    """Of all cases, as one session more beside those stored for the same Flyte and case."""


class Settings(NamedTuple):
    """What the user asked for, checked."""

    cluster: str
    flyte: str
    config: Path | None
    base: str | None
    """The Flyte to compare `flyte` with, measured in turns; None where nothing is compared so."""
    base_config: Path | None
    blocks: int
    """Most blocks of a side that such a comparison may take for one case."""
    database: str | None
    deployment: Path | None
    kubeconfig: Path | None
    context: str | None
    endpoint: str | None
    flyte_config: Path | None
    traces: str | None
    prometheus: str | None
    project: str
    domain: str
    node_image: str | None
    install: bool
    chart: str
    images: str | None
    values: Path | None
    task_image: str | None
    store_image: str
    database_image: str
    jaeger_image: str
    baseline: bool
    baseline_dir: Path
    update: Update
    strict: bool
    short: bool
    full: bool
    nightly: bool
    repeats: int | None
    warmups: int | None
    timeout_s: float
    seed: int
    keep: bool
    wait_s: float
    out: Path
    tolerance: str | None
    gate: str | None
    typed: frozenset[str]
    """Fields that a flag or a variable set: they win over a marker, which wins over the ini."""
    report: Path | None
    console: str | None
    jaeger: str | None
    benchmark_json: Path | None
    root: Path
    """Folder that relative paths start from: pytest's rootdir, or the working folder."""

    @property
    def size(self) -> str:
        """The size of case that is run: short, default, full or nightly."""
        return next(iter(self.sizes), "default")

    @property
    def sizes(self) -> tuple[str, ...]:
        """The sizes that were asked for."""
        return tuple(size for size in ("short", "full", "nightly") if getattr(self, size))


def resolve(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    ini: Callable[[str], object],
    root: Path,
) -> Settings:
    """The settings that flags, environment and ini file add up to.

    `flags` maps an option's name to what the command line gave, None where it gave nothing; `ini`
    takes an ini key and returns its value, None or "" where there is none.

    Raises:
        UsageError: a value is wrong, or two exclude each other.
    """
    unknown = sorted(
        name
        for name in environ
        if name.startswith("FLYTEPERF_") and name not in _VARIABLES and name not in _FOREIGN
    )
    if unknown:
        known = ", ".join(sorted(_VARIABLES))
        raise UsageError(f"environment: {unknown[0]} is no setting; there are {known}")
    values = {o.key: _lookup(o, flags, environ, ini, root) for o in OPTIONS}
    values["update"] = Update(str(values["update"]))
    typed = frozenset(
        o.key for o in OPTIONS if flags.get(o.name) is not None or environ.get(o.variable)
    )
    settings = Settings(root=root, typed=typed, **values)  # type: ignore[arg-type] # OPTIONS name its fields
    if len(settings.sizes) > 1:
        asked = " and ".join(f"--flyteperf-{size}" for size in settings.sizes)
        raise UsageError(f"{asked} exclude each other")
    _check_files(settings)
    _check_comparison(settings)
    _check_cluster(settings)
    _check_sites(settings)
    return settings


def _check_files(settings: Settings) -> None:
    named = {
        "config": settings.config,
        "base-config": settings.base_config,
        "values": settings.values,
        "flyte-config": settings.flyte_config,
    }
    for flag, path in named.items():
        if path is not None and not path.is_file():
            raise UsageError(f"--flyteperf-{flag}: {path}: there is no such file")


def _check_sites(settings: Settings) -> None:
    for flag, url in {"console": settings.console, "jaeger": settings.jaeger}.items():
        if url is not None and not url.startswith(("http://", "https://")):
            raise UsageError(f"--flyteperf-{flag}: {url!r} is no URL; give one with http://")


def _check_cluster(settings: Settings) -> None:
    if settings.cluster not in {"local", "kind"} and settings.base is not None:
        raise UsageError(
            f"--flyteperf-base: on {settings.cluster} Flyte is not ours to replace; both sides run "
            "on a local cluster or on kind's"
        )
    if settings.cluster != "local" and settings.database is not None:
        raise UsageError(
            "--flyteperf-database: belongs to a `flyte` program on a local cluster; "
            "name a chart's in --flyteperf-values"
        )
    if settings.cluster == "existing" and settings.kubeconfig is None:
        raise UsageError("--flyteperf-cluster existing: give --flyteperf-kubeconfig, too")
    if settings.install and settings.cluster != "existing":
        raise UsageError(
            "--flyteperf-install: is for clusters that exist; give --flyteperf-cluster existing"
        )


def _check_comparison(settings: Settings) -> None:
    if settings.base is None:
        if settings.base_config is not None:
            raise UsageError("--flyteperf-base-config: there is no base; give --flyteperf-base")
        return
    if settings.baseline or settings.update is not Update.NONE:
        raise UsageError(
            "--flyteperf-base: both sides are measured, no baseline is read or written; "
            "leave --flyteperf-baseline and --flyteperf-update out"
        )
    if settings.repeats is not None and settings.repeats < LEAST_BLOCK:
        raise UsageError(
            f"--flyteperf-repeats: a block of {settings.repeats} says too little of itself; "
            f"give at least {LEAST_BLOCK}"
        )
    if settings.blocks % 2:
        raise UsageError(
            f"--flyteperf-blocks: {settings.blocks} is odd; blocks of a side come in twos"
        )


_VARIABLES = frozenset(o.variable for o in OPTIONS)
_FOREIGN = frozenset(
    {
        "FLYTEPERF_CACHE",
        "FLYTEPERF_LOCK",
        "FLYTEPERF_STATE",
        "FLYTEPERF_CLUSTER_ID",
        "FLYTEPERF_PROCESS",
        "FLYTEPERF_POD",
    }
)
"""Where files go (see paths.py), and marks that the engine sets on its own processes."""


def _lookup(
    option: Option,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    ini: Callable[[str], object],
    root: Path,
) -> object:
    given = flags.get(option.name)
    if given is not None:
        return option.parse(given, option.flag, root)
    if environ.get(option.variable):
        return option.parse(environ[option.variable], option.variable, root)
    written = ini(option.ini)
    if written not in (None, "", []):
        return option.parse(written, option.ini, root)
    if option.default is None:
        return None
    return option.parse(option.default, option.flag, root)
