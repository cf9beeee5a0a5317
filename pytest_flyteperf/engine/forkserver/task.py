"""The child's side: from the fork to the end of the command."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import random
import signal
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_flyteperf.engine.forkserver.protocol import Start

ENTRY_POINTS = {
    "pyflyte-execute": "execute_task_cmd",
    "pyflyte-fast-execute": "fast_execute_task_cmd",
    "pyflyte-map-execute": "map_execute_task_cmd",
}
"""Console scripts of flytekit that run in the forked process; any other command is exec'd."""

IMPORT_ROOTS_VARIABLE = "FLYTEPERF_IMPORT_ROOTS"
"""Names a file of folders, one a line, that tasks may import their modules from."""

STAMP = struct.Struct("=Bq")
"""What the child reports before it runs the command: STARTED, Unix nanoseconds."""
STARTED = 1
REFUSED = 2
"""First byte of the report when there is no command to run; the message follows."""

_REPORT_FD = 3
_LOST = 70
"""Exit code of a child that failed where only a fault of ours can make it (EX_SOFTWARE)."""
_UNWRITTEN = 120
"""CPython's exit code when its last output cannot be written."""
_OOM_SCORE = b"500"
"""Tasks are killed for want of memory before the engine that measures them."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def subreaper() -> None:
    """Make this process the parent of its orphaned descendants, as PID 1 of a container is."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(request: Start, server_pid: int, report: int, path: tuple[str, ...]) -> NoReturn:
    """Become the container's process; never returns.

    Args:
        request: what to run.
        server_pid: the parent, whose death is the child's.
        report: pipe for the stamp or the refusal.
        path: `sys.path` of a fresh interpreter without script folder and PYTHONPATH.
    """
    try:
        entry = _prepare(request, server_pid, report)
        if entry is None:
            _execute(request)
        from pytest_flyteperf.engine.forkserver import steps  # imports flytekit

        watch = steps.Watch(_report_start())
        code = _call(entry, request, path)
        watch.leave(request.log)
        _finish(code)
    finally:
        # A child that fell through would go on as a second server.
        os._exit(_LOST)


def _prepare(request: Start, server_pid: int, report: int) -> str | None:
    """Cut the ties with the server; gives flytekit's function for the command, if it has one."""
    try:
        _detach(server_pid)
        _redirect(Path(request.log), report)
        os.chdir(request.cwd or ".")
    except OSError as error:
        _refuse(f"{error.strerror}: {error.filename}")
    if not request.argv:
        _refuse("no command specified")
    return ENTRY_POINTS.get(Path(request.argv[0]).name)


def _detach(server_pid: int) -> None:
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server_pid:
        os._exit(128 + signal.SIGKILL)
    subreaper()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(score, _OOM_SCORE)
    os.close(score)


def _redirect(log: Path, report: int) -> None:
    os.dup2(report, _REPORT_FD, inheritable=False)
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - no Path per descriptor
        if number > _REPORT_FD:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(number)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(out, number)
    os.close(out)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _refuse(message: str) -> NoReturn:
    os.write(_REPORT_FD, bytes([REFUSED]) + message.encode())
    os._exit(128)


def _report_start() -> int:
    now_ns = time.time_ns()
    os.write(_REPORT_FD, STAMP.pack(STARTED, now_ns))
    os.close(_REPORT_FD)
    return now_ns


def _execute(request: Start) -> NoReturn:
    # CPython ignores these two; a program does not expect to inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    program = request.argv[0]
    os.write(_REPORT_FD, STAMP.pack(STARTED, time.time_ns()))
    try:
        os.execvpe(program, request.argv, request.env)  # noqa: S606 - the pod's own command
    except FileNotFoundError:
        where = (
            "no such file or directory" if "/" in program else "executable file not found in $PATH"
        )
        _refuse(f'exec: "{program}": {where}')
    except OSError as error:
        _refuse(f'exec: "{program}": {(error.strerror or "").lower()}')


def _entry_point(name: str, request: Start, path: tuple[str, ...]) -> Callable[[], object]:
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    tempfile.tempdir = None
    scripts = Path(sys.executable).parent
    extra = (entry for entry in request.env.get("PYTHONPATH", "").split(os.pathsep) if entry)
    sys.path[:] = [str(scripts), *extra, *_import_roots(request.env), *path]
    script = str(scripts / Path(request.argv[0]).name)
    sys.argv = [script, *request.argv[1:]]
    main = sys.modules["__main__"]
    # What click calls the program, and multiprocessing's spawned children run.
    main.__package__, main.__spec__, main.__file__ = None, None, script
    # Of a task that is killed, its log shall have every line.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # nobody replaced it
    importlib.invalidate_caches()
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    from pytest_flyteperf.engine.forkserver import fresh  # after the fork

    fresh.configure()
    command: Callable[[], object] = getattr(
        importlib.import_module("flytekit.bin.entrypoint"), name
    )
    return command


def _import_roots(env: Mapping[str, str]) -> list[str]:
    """Folders that the sessions of this cluster import their workflows from, newest first.

    A pod's PYTHONPATH would do too, but it would stand in the FlyteWorkflow object and make its
    size depend on where a checkout lies.
    """
    try:
        return Path(env[IMPORT_ROOTS_VARIABLE]).read_text(encoding="utf-8").splitlines()
    except (KeyError, FileNotFoundError):
        return []


def _call(entry: str, request: Start, path: tuple[str, ...]) -> int:
    """Exit code of a console script, which is `sys.exit(function())`."""
    try:
        sys.exit(_entry_point(entry, request, path)())  # type: ignore[arg-type] # whatever a console script returns
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1
    except BaseException:  # noqa: BLE001 - the interpreter's last resort, done by hand
        sys.excepthook(*sys.exc_info())
        return 1


def _finish(code: int) -> NoReturn:
    """Leave as an interpreter does: threads joined, exit functions run, output written.

    Taking down half a million inherited objects one by one is left out.
    """
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as multiprocessing does
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing does
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except Exception:  # noqa: BLE001 - the user may have put anything there
            code = code or _UNWRITTEN
    os._exit(code)
