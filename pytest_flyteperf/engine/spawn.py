"""Start a child that cannot outlive its parent.

The parent-death signal must be set in the child, between fork and exec. Running Python there is
not safe in a process with threads (the OTLP receiver has some), so a short-lived interpreter,
started with `posix_spawn`, sets the signal on itself and becomes the program. Linux sends it when
the *thread* that spawned ends, so `spawn` belongs on the main thread (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.process import CLUSTER_MARKER, PROCESS_MARKER

if TYPE_CHECKING:
    from pytest_flyteperf.engine.process import ProcessSpec

_PR_SET_CHILD_SUBREAPER = 36
_BECOME = """
import ctypes, os, signal, sys
parent, folder, *argv = sys.argv[1:]
if ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0):
    sys.exit("parent-death signal: refused by this system")
if os.getppid() != int(parent):
    os._exit(1)
for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)
os.closerange(3, os.sysconf("SC_OPEN_MAX"))
try:
    os.chdir(folder)
    os.execvp(argv[0], argv)
except OSError as error:
    print(f"{error.filename or argv[0]}: cannot be started: {error.strerror}", file=sys.stderr)
    os._exit(127)
"""
"""Sets the parent-death signal (1), ends if the parent is already gone, becomes the program."""


def spawn(spec: ProcessSpec, cluster_id: str) -> int:
    """Start the process in a group of its own and return its id.

    Raises:
        OSError: its log cannot be opened, or no process can be started.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("spawn: children die with the thread that starts them; use the main one")
    env = {name: value for name, value in os.environ.items() if name not in spec.unset}
    env |= spec.env | {CLUSTER_MARKER: cluster_id, PROCESS_MARKER: spec.name}
    argv = (sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), spec.cwd or ".")
    log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            (*argv, *spec.argv),
            env,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ),
            setpgroup=0,
            setsigmask=(),
        )
    finally:
        os.close(log)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")
