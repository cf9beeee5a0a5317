"""`python -m pytest_flyteperf.engine.forkserver`, started in the user's project folder."""

from __future__ import annotations

import os
import sys

if sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib is not imported yet
    # What `python -m` put there; a file of the project must hide no library.
    del sys.path[0]

import argparse
import contextlib
import signal
import socket
import tempfile
from pathlib import Path

from pytest_flyteperf.engine.forkserver.preload import preload
from pytest_flyteperf.engine.forkserver.server import Server
from pytest_flyteperf.errors import ClusterError, FlyteperfError


def main() -> int:
    """Preload, listen, serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="flyteperf-forkserver", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument("--ready-file", type=Path, required=True, help="created when listening")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A parent that waits for signals with sigwait bequeaths its mask.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    try:
        # Each child makes such files of its own; these are no longer needed once all is imported.
        with tempfile.TemporaryDirectory(prefix="flyteperf-forkserver-") as scratch:
            preload(Path(scratch))
        with _listen(arguments.socket) as listener:
            _announce(arguments.ready_file)
            Server(listener, _interpreter_path()).serve()
    except FlyteperfError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the supervisor shows a dead process's log
        return error.exit_code
    finally:
        # A child never comes here: `task.run` does not return, whatever happens.
        for path in (arguments.socket, arguments.ready_file):
            path.unlink(missing_ok=True)
    return 0


def _interpreter_path() -> tuple[str, ...]:
    """`sys.path` without what PYTHONPATH put there; `preload` took the project folder out."""
    given = set(os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return tuple(entry for entry in sys.path if entry not in given)


def _listen(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise ClusterError(
            f"fork server: cannot listen on {path}: {error.strerror or error}; "
            "choose a shorter path in a folder that can be written"
        ) from error
    path.chmod(0o600)
    listener.listen()
    return listener


def _announce(ready: Path) -> None:
    fresh = ready.with_name(f"{ready.name}.{os.getpid()}")
    fresh.write_text(f"{os.getpid()}\n")
    fresh.replace(ready)


if __name__ == "__main__":
    sys.exit(main())
