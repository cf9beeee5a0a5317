"""Every option once: flag, ini key, environment variable, default and check.

The plugin and the command line both read `OPTIONS`. This module is loaded in every pytest run: it
imports nothing heavy, and its values are named tuples with evaluated annotations, which take
Python the least time to define.
"""

from pathlib import Path
from typing import NamedTuple

from pytest_flyteperf.errors import UsageError

type_names = {bool: "switch", int: "whole number", float: "number of seconds", str: "text"}


class Option(NamedTuple):
    """One setting and how it is given."""

    name: str
    """As in the flag after `--flyteperf-`."""
    kind: type[bool | int | float | str]
    default: object
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    """What further values begin with."""
    minimum: float | None = None
    path: bool = False
    field: str | None = None
    """Field of `Settings`; the name with underscores unless given."""

    @property
    def flag(self) -> str:
        """As on pytest's command line."""
        return f"--flyteperf-{self.name}"

    @property
    def ini(self) -> str:
        """As in pytest's ini file."""
        return f"flyteperf_{self.name.replace('-', '_')}"

    @property
    def variable(self) -> str:
        """As in the environment."""
        return self.ini.upper()

    @property
    def key(self) -> str:
        """The field of `Settings` that holds it."""
        return self.field or self.name.replace("-", "_")

    @property
    def known(self) -> tuple[str, ...]:
        """What it may be, where that can be listed."""
        return (*self.choices, *(f"{prefix}..." for prefix in self.prefixes))

    def parse(self, raw: object, where: str, root: Path) -> object:
        """The value that `raw`, found at `where`, stands for.

        Raises:
            UsageError: it stands for none; the message names those that are right.
        """
        if isinstance(raw, bool) and self.kind is bool:
            return raw
        text = str(raw).strip()
        value = self._convert(text, where)
        if self.choices and text not in self.choices and not text.startswith(self.prefixes):
            raise UsageError(f"{where}: {text!r} is none of {', '.join(self.known)}")
        if self.minimum is not None and isinstance(value, int | float) and value < self.minimum:
            raise UsageError(f"{where}: {text} is less than {self.minimum:g}")
        return (root / Path(text).expanduser()) if self.path else value

    def _convert(self, text: str, where: str) -> bool | int | float | str:
        if self.kind is bool:
            if text.lower() in {"1", "true", "yes", "on"}:
                return True
            if text.lower() in {"0", "false", "no", "off", ""}:
                return False
            raise UsageError(f"{where}: {text!r} is none of 1, true, yes, on, 0, false, no, off")
        if not text:
            raise UsageError(f"{where}: is empty; give a {type_names[self.kind]}")
        try:
            return self.kind(text)
        except ValueError:
            raise UsageError(f"{where}: {text!r} is not a {type_names[self.kind]}") from None


OPTIONS: tuple[Option, ...] = (
    Option(
        name="baseline",
        kind=bool,
        default=False,
        help="gate: compare with the stored baselines, fail on a regression",
    ),
    Option(
        name="baseline-dir",
        kind=str,
        default="baselines",
        help="folder of the baselines",
        metavar="DIR",
        path=True,
    ),
    Option(
        name="update",
        kind=str,
        default="none",
        help="write baselines from this run: of new cases, of all, or as a session more",
        choices=("none", "new", "all", "join"),
    ),
    Option(
        name="tolerance",
        kind=str,
        default=None,
        help="growth to accept: a share for all times, or shares by metric (handle_ns=0.05,...)",
        metavar="SHARES",
    ),
    Option(
        name="gate",
        kind=str,
        default=None,
        help="metrics to gate, with commas between, in place of the default ones",
        metavar="METRICS",
    ),
    Option(
        name="strict",
        kind=bool,
        default=False,
        help="fail on inconclusive, incomparable and no-baseline too",
    ),
    Option(
        name="short",
        kind=bool,
        default=False,
        help="small cases, few repeats: counts gate, times are advisory",
    ),
    Option(
        name="full",
        kind=bool,
        default=False,
        help="large cases, many repeats",
    ),
    Option(
        name="nightly",
        kind=bool,
        default=False,
        help="the widest cases, once each: that they complete, and what they cost",
    ),
    Option(
        name="repeats",
        kind=int,
        default=None,
        help="repeats of each case, in place of its own",
        metavar="N",
        minimum=1,
    ),
    Option(
        name="warmups",
        kind=int,
        default=None,
        help="warm-ups of each case, in place of its own",
        metavar="N",
        minimum=0,
    ),
    Option(
        name="timeout",
        kind=float,
        default=300.0,
        help="longest one execution may take",
        metavar="SECONDS",
        minimum=0.1,
        field="timeout_s",
    ),
    Option(
        name="seed",
        kind=int,
        default=20260101,
        help="seed of the random submission phases",
        metavar="N",
        minimum=0,
    ),
    Option(
        name="cluster",
        kind=str,
        default="local",
        help="where Flyte runs",
        choices=("local", "kind", "existing"),
        prefixes=("command:", "provisioner:"),
    ),
    Option(
        name="deployment",
        kind=str,
        default=None,
        help="measure the Flyte that this file describes, as `flyteperf deploy` prints it",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="kubeconfig",
        kind=str,
        default=None,
        help="existing: kubeconfig of the cluster; $KUBECONFIG is never used unasked",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="context",
        kind=str,
        default=None,
        help="existing: context of the kubeconfig, in place of its current one",
    ),
    Option(
        name="endpoint",
        kind=str,
        default=None,
        help="existing: FlyteAdmin's gRPC, HOST:PORT or NAMESPACE/SERVICE:PORT; found by its "
        "service unless given",
        metavar="WHERE",
    ),
    Option(
        name="flyte-config",
        kind=str,
        default=None,
        help="existing: flytekit's configuration file: FlyteAdmin's endpoint, TLS, credentials",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="traces",
        kind=str,
        default=None,
        help="existing: the Jaeger that Flyte's traces go to, a URL or NAMESPACE/SERVICE:PORT; "
        "--flyteperf-jaeger's unless given",
        metavar="WHERE",
    ),
    Option(
        name="prometheus",
        kind=str,
        default=None,
        help="existing: read Propeller's metrics from this Prometheus, not from its pods",
        metavar="URL",
    ),
    Option(
        name="project",
        kind=str,
        default="flytesnacks",
        help="existing: Flyte project that workflows are registered and run in",
    ),
    Option(
        name="domain",
        kind=str,
        default="development",
        help="existing: Flyte domain, likewise",
    ),
    Option(
        name="node-image",
        kind=str,
        default=None,
        help="image of kind's node, which sets the version of Kubernetes",
        metavar="IMAGE",
    ),
    Option(
        name="install",
        kind=bool,
        default=False,
        help="existing: put Flyte onto the cluster by its chart, and take it off again at the end",
    ),
    Option(
        name="chart",
        kind=str,
        default="flyte-binary",
        help="Flyte's helm chart: a folder, a tgz, oci://..., flyte-binary[@VERSION] or "
        "flyte-core[@VERSION]",
        metavar="CHART",
    ),
    Option(
        name="images",
        kind=str,
        default=None,
        help="kind: images of single components over the release's, COMPONENT=REPOSITORY:TAG,...",
        metavar="IMAGES",
    ),
    Option(
        name="values",
        kind=str,
        default=None,
        help="helm values merged over the deployment's own",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="task-image",
        kind=str,
        default=None,
        help="image that tasks run in, with flytekit; their code is sent along "
        "(kind: flytekit's own image unless given; existing: the code is there already)",
        metavar="IMAGE",
    ),
    Option(
        name="store-image",
        kind=str,
        default="versity/versitygw:v1.8.0",
        help="image of the S3 store that is deployed beside Flyte",
        metavar="IMAGE",
    ),
    Option(
        name="database-image",
        kind=str,
        default="postgres:15-alpine",
        help="image of the PostgreSQL that is deployed beside Flyte",
        metavar="IMAGE",
    ),
    Option(
        name="jaeger-image",
        kind=str,
        default="jaegertracing/all-in-one:1.60",
        help="--flyteperf-install: image of the Jaeger that keeps Flyte's traces; none: without",
        metavar="IMAGE",
    ),
    Option(
        name="flyte",
        kind=str,
        default="v1.16.8",
        help="which Flyte: a release; local: a source checkout, a `flyte` binary; "
        "kind: image:REPOSITORY:TAG, or a source checkout with a Dockerfile",
        metavar="REF",
    ),
    Option(
        name="config",
        kind=str,
        default=None,
        help="Flyte configuration merged over the deployment's own",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="base",
        kind=str,
        default=None,
        help="compare with this Flyte, both measured in turns: needs no baseline",
        metavar="REF",
    ),
    Option(
        name="base-config",
        kind=str,
        default=None,
        help="configuration of the Flyte that is compared with",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="blocks",
        kind=int,
        default=8,
        help="most blocks of either Flyte that a comparison may take for a case",
        metavar="N",
        minimum=4,
    ),
    Option(
        name="database",
        kind=str,
        default=None,
        help="PostgreSQL of a full `flyte` binary (postgres://...)",
        metavar="DSN",
    ),
    Option(
        name="keep",
        kind=bool,
        default=False,
        help="leave the deployment up for the next run",
    ),
    Option(
        name="wait",
        kind=float,
        default=600.0,
        help="how long to wait for another run that measures on this machine",
        metavar="SECONDS",
        minimum=0,
        field="wait_s",
    ),
    Option(
        name="out",
        kind=str,
        default=".flyteperf",
        help="folder of recordings and results",
        metavar="DIR",
        path=True,
    ),
    Option(
        name="report",
        kind=str,
        default=None,
        help="write the HTML report there too; each run's folder has one",
        metavar="FILE",
        path=True,
    ),
    Option(
        name="console",
        kind=str,
        default=None,
        help="Flyte's console, for links in the report, e.g. http://localhost:30080/console",
        metavar="URL",
    ),
    Option(
        name="jaeger",
        kind=str,
        default=None,
        help="a Jaeger that gets Flyte's traces, for links in the report",
        metavar="URL",
    ),
    Option(
        name="benchmark-json",
        kind=str,
        default=None,
        help="write durations as pytest-benchmark does, for its compare command",
        metavar="FILE",
        path=True,
    ),
)
