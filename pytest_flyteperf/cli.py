"""The `flyteperf` command.

Exit codes: 0 fine, 1 regressed or failed, 2 usage, 3 undecided under strict, 4 infrastructure,
5 invalid measurement, 130 interrupted. Imports that cost anything stand in the commands.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_flyteperf import __version__
from pytest_flyteperf.errors import FlyteperfError
from pytest_flyteperf.settings import OPTIONS, Option, Settings, resolve

if TYPE_CHECKING:
    from pytest_flyteperf.progress import Progress
    from pytest_flyteperf.report.sections import Results

INTERRUPTED = 130
BENCHMARKS = "benchmarks"
_ROOT_MARKS = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", ".git")
_STACK_OPTIONS = ("cluster", "flyte", "config", "database")

EPILOG = """\
examples:
  flyteperf doctor                         what this machine can run, and what is missing
  flyteperf up                             start Flyte and leave it up: runs start at once
  flyteperf run --baseline                 run the portfolio in ./benchmarks and gate it
  flyteperf run -- -k chain --short        one case, small, passing options to pytest
  flyteperf analyze .flyteperf/runs/*/chain/0
  flyteperf down                           stop it again
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if not hasattr(given, "run"):
        parser.print_help()
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = given.run(given)
    except FlyteperfError as error:
        _line(f"flyteperf: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _line("flyteperf: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flyteperf",
        description="Performance regressions of Flyte, as failing tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="")

    def command(
        name: str, what: str, run: Callable[[argparse.Namespace], int], options: Sequence[str] = ()
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=what)
        sub.set_defaults(run=run)
        for option in OPTIONS:
            if option.name in options:
                _add(sub, option)
        return sub

    command("up", "start a cluster with Flyte and leave it up", _up, _STACK_OPTIONS)
    down = command("down", "stop the cluster of this project", _down, ("flyte",))
    down.add_argument("--all", action="store_true", help="all local clusters of this user")
    status = command("status", "show what is up", _status)
    _add_json(status)
    run = command("run", "run the portfolio under pytest", _run, tuple(o.name for o in OPTIONS))
    run.add_argument("pytest", nargs="*", help="paths and, after --, options for pytest")
    analyze = command("analyze", "compute the measures of recordings", _analyze)
    analyze.add_argument("folders", nargs="+", metavar="FOLDER", type=Path)
    _add_json(analyze)
    told = command("explain", "tell where the time of a recorded execution went", _explain)
    told.add_argument("folder", metavar="FOLDER", type=Path, help="a recording")
    fold = command("fold-logs", "fold Propeller's log into handles, rounds and changes", _fold)
    fold.add_argument("log", metavar="FOLDER|LOG", type=Path, help="a recording, or a JSON log")
    fold.add_argument("execution", nargs="?", help="name of the execution, for a log")
    fold.add_argument("--enqueues", action="store_true", help="show what woke Propeller too")
    _add_json(fold)
    compare = command("compare", "subtract the results of run A from those of run B", _compare)
    compare.add_argument("a", metavar="A", type=Path, help="results.json or its folder")
    compare.add_argument("b", metavar="B", type=Path, help="likewise")
    _add_json(compare)
    doctor = command("doctor", "what this machine can run, and what is missing", _doctor)
    _add_json(doctor)
    command("reap", "end what killed runs left behind", _reap)
    engine = commands.add_parser("engine", help="build or remove the embedded engine's programs")
    actions = engine.add_subparsers(title="actions", metavar="", required=True)
    build = actions.add_parser("build", help="build them, if they are not built yet")
    build.set_defaults(run=_engine_build)
    _add(build, next(o for o in OPTIONS if o.name == "flyte"))
    clean = actions.add_parser("clean", help="remove all that are not running")
    clean.set_defaults(run=_engine_clean)
    return parser


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    flag = f"--{option.name}"
    if option.kind is bool:
        parser.add_argument(
            flag, dest=option.name, action="store_true", default=None, help=option.help
        )
    else:
        parser.add_argument(flag, dest=option.name, metavar=option.metavar, help=option.help)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


# --- commands -------------------------------------------------------------------------------------


def _up(given: argparse.Namespace) -> int:
    from pytest_flyteperf.stack import Stack  # noqa: PLC0415

    with _Progress() as progress:
        stack = Stack(_settings(given, keep=True), progress)
        with stack.cluster("flyteperf up") as cluster, stack.deployment(cluster) as deployment:
            pass
    print(f"up: {deployment.cluster.name}, Flyte {deployment.subject.flyte}")
    print(f"  FlyteAdmin ({deployment.environment.admin_kind.value}) {deployment.admin_endpoint}")
    print(f"  KUBECONFIG={deployment.cluster.kubeconfig}")
    print(f"  logs       {Path(deployment.cluster.directory) / 'logs'}")
    return 0


def _down(given: argparse.Namespace) -> int:
    from pytest_flyteperf.provision import local  # noqa: PLC0415
    from pytest_flyteperf.stack import Stack  # noqa: PLC0415

    with _Progress() as progress:
        if given.all:
            clusters = local.running()
        else:
            cluster = Stack(_settings(given), progress).find()
            clusters = () if cluster is None else (cluster,)
        for cluster in clusters:
            progress(f"stopping {cluster.name}")
            local.down(cluster)
    for cluster in clusters:
        print(f"down: {cluster.name}")
    if not clusters:
        print("nothing of this project is up")
    return 0


def _status(given: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from pytest_flyteperf.engine.control import Control  # noqa: PLC0415
    from pytest_flyteperf.provision import local  # noqa: PLC0415

    statuses = []
    for cluster in local.running():
        with Control(str(cluster.control_socket)) as control:
            statuses.append(control.status())
    if given.json:
        print(msgspec.json.encode(statuses).decode())
        return 0
    for status in statuses:
        kept = "kept" if status.keep else "ends with its last run"
        print(f"{status.cluster}: supervisor {status.pid}, {kept}")
        for who in status.leases:
            print(f"  held by {who}")
        for process in status.processes:
            print(f"  {process.name:<16} {process.state.value:<9} pid {process.pid}")
    if not statuses:
        print("nothing is up; `flyteperf up` starts Flyte")
    return 0


def _run(given: argparse.Namespace) -> int:
    import pytest  # noqa: PLC0415

    flags = []
    for option in OPTIONS:
        value = getattr(given, option.name)
        if value is True:
            flags.append(option.flag)
        elif value is not None:
            flags.append(f"{option.flag}={value}")
    paths = given.pytest or [BENCHMARKS]
    if not given.pytest and not Path(BENCHMARKS).is_dir():
        raise _usage(f"{Path.cwd() / BENCHMARKS}: there is no such folder; name one")
    return int(pytest.main([*flags, *paths]))


def _analyze(given: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from pytest_flyteperf.analyze import analyze_recording  # noqa: PLC0415
    from pytest_flyteperf.report import measures, ownership  # noqa: PLC0415

    analyzed = [(folder, analyze_recording(folder)) for folder in given.folders]
    if given.json:
        print(msgspec.json.encode({str(folder): found for folder, found in analyzed}).decode())
        return 0
    for line in measures.lines([found for _, found in analyzed], columns=_columns()):
        print(line)
    for folder, found in analyzed:
        print()
        for line in ownership.lines(str(folder), [found]):
            print(line)
    return 0


def _explain(given: argparse.Namespace) -> int:
    from pytest_flyteperf.analyze import analyze_recording, explain  # noqa: PLC0415

    for line in explain(analyze_recording(given.folder)):
        print(line)
    return 0


def _fold(given: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from pytest_flyteperf.analyze import fold_file, fold_recording, render  # noqa: PLC0415

    if given.log.is_dir():
        folded = fold_recording(given.log, enqueues=given.enqueues)
    elif given.execution is None:
        raise _usage(f"{given.log}: name the execution to fold, e.g. fold-logs LOG EXECUTION")
    else:
        folded = fold_file(given.log, given.execution, enqueues=given.enqueues)
    if given.json:
        print(msgspec.json.encode(folded).decode())
        return 0
    for line in render(folded):
        print(line)
    return 0


def _compare(given: argparse.Namespace) -> int:
    from pytest_flyteperf.report import results  # noqa: PLC0415
    from pytest_flyteperf.report.delta import delta  # noqa: PLC0415

    before, now = (_results(path) for path in (given.a, given.b))
    document = delta(before, now)
    print(results.to_json(document) if given.json else results.to_yaml(document), end="")
    return 0


def _doctor(given: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from pytest_flyteperf import doctor  # noqa: PLC0415

    findings = doctor.examine(os.environ)
    if given.json:
        print(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'MISS'}  {finding.what}: {finding.found}")
            if finding.remedy:
                print(f"      {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else FlyteperfError.exit_code


def _reap(_: argparse.Namespace) -> int:
    from pytest_flyteperf.provision import local  # noqa: PLC0415

    reaped = local.reap_dead()
    for one in reaped:
        print(f"{one.cluster}: ended {len(one.processes)} processes, removed its folder")
    if not reaped:
        print("nothing was left behind")
    return 0


def _engine_build(given: argparse.Namespace) -> int:
    from pytest_flyteperf.stack import Stack  # noqa: PLC0415

    with _Progress() as progress:
        engine = Stack(_settings(given), progress).engine
    for name, version in engine.versions.items():
        print(f"{name} {version}")
    return 0


def _engine_clean(_: argparse.Namespace) -> int:
    from pytest_flyteperf.engine.build import clean_engines  # noqa: PLC0415

    with _Progress() as progress:
        freed = clean_engines(progress)
    print(f"freed {freed >> 20} MiB")
    return 0


# --- help -----------------------------------------------------------------------------------------


def _settings(given: argparse.Namespace, **more: object) -> Settings:
    flags: Mapping[str, Any] = {**vars(given), **more}
    return resolve(flags, os.environ, lambda _: None, _project_root(Path.cwd()))


def _project_root(start: Path) -> Path:
    """The folder that pytest would call rootdir, or the one given."""
    for folder in (start, *start.parents):
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            return folder
    return start


def _results(path: Path) -> Results:
    from pytest_flyteperf.report import results  # noqa: PLC0415
    from pytest_flyteperf.report.sections import Results  # noqa: PLC0415

    file = path / "results.json" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _usage(f"{file}: {error}; give a results.json, or a folder with one") from None
    return results.from_json(text, Results, str(file))


def _usage(message: str) -> FlyteperfError:
    from pytest_flyteperf.errors import UsageError  # noqa: PLC0415

    return UsageError(message)


def _columns() -> int:
    import shutil  # noqa: PLC0415

    return shutil.get_terminal_size().columns


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _line(text: str) -> None:
    print(text, file=sys.stderr)


class _Progress:
    """A `Progress` on standard error: one line that changes at a terminal, else a line each."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._tty and self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _show(self, message: str, /) -> None:
        if message == self._last:
            return
        self._last = message
        if self._tty:
            sys.stderr.write(f"\r\x1b[2K{message[: _columns() - 1]}")
        else:
            sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
