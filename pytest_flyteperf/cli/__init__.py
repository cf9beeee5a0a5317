"""The `flyteperf` command: `flyteperf COMMAND [options]`.

One module per command, named like it, with `arguments(parser)` and `run(given) -> exit code`; the
table in `commands.py` lists them. Only the module of the command that was typed is imported, so it
may import what it likes at its top.

Exit codes: 0 fine, 1 regressed or failed, 2 usage, 3 undecided under strict, 4 infrastructure,
5 invalid measurement, 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from pytest_flyteperf.cli.parser import parse
from pytest_flyteperf.errors import FlyteperfError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        command, given = parse(sys.argv[1:] if arguments is None else arguments)
        return command(given)
    except FlyteperfError as error:
        print(f"flyteperf: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return INTERRUPTED
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"flyteperf: {where}{error.strerror or error}", file=sys.stderr)
        return FlyteperfError.exit_code
    except KeyboardInterrupt:
        print("flyteperf: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
