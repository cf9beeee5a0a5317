"""The command line, read: one grammar for all commands, and the help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from pytest_flyteperf import __version__
from pytest_flyteperf.cli.commands import COMMANDS, GROUPS, Command
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.options import OPTIONS, Option

HANDS_ON = "hands_on"
"""Default that says a command hands on to pytest what it is given after `--`, in `pytest`."""
EXAMPLES = """\
examples:
  flyteperf doctor                       what this machine can run, and what is missing
  flyteperf up                           start Flyte and leave it up: runs start at once
  flyteperf run --baseline               run the portfolio in ./benchmarks and gate it
  flyteperf run --short -- -k chain      one case, small; options after -- are pytest's
  flyteperf ab --base v1.16.8 --head ../flyte
  flyteperf analyze .flyteperf/runs/*/chain/0
  flyteperf down                         stop it again

exit codes: 0 fine, 1 regressed or failed, 2 usage, 3 undecided under strict,
            4 infrastructure, 5 invalid measurement, 130 interrupted
"""


def parse(
    arguments: Sequence[str],
) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """What to run, and what it was given.

    Raises:
        UsageError: there is no such command.
        SystemExit: as argparse does, on help and on a wrong option.
    """
    top = _top()
    given, rest = top.parse_known_args(arguments[:1])
    if given.command is None and rest:
        raise UsageError(f"{rest[0]}: options follow a command; `flyteperf --help` lists these")
    if given.command is None:
        return _help_of_all(top), given
    command = COMMANDS.get(given.command)
    if rest or command is None:
        raise UsageError(_unknown(arguments[0]))
    module = import_module(command.module)
    parser = _parser(command, module.__doc__ or "")
    module.arguments(parser)
    return module.run, _parsed(parser, arguments[1:])


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; where a command hands on to pytest, what follows `--` is not argparse's to look at."""
    if not parser.get_default(HANDS_ON) or "--" not in arguments:
        return parser.parse_args(arguments)
    end = arguments.index("--")
    given = parser.parse_args(arguments[:end])
    given.pytest = [*given.pytest, *arguments[end + 1 :]]
    return given


def add_options(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add settings under the names that they have for pytest after `--flyteperf-`."""
    for option in OPTIONS:
        if option.name in names:
            _add_option(parser, option)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which every command that prints has."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    flag = f"--{option.name}"
    if option.kind is bool:
        parser.add_argument(
            flag, dest=option.name, action="store_true", default=None, help=option.help
        )
    else:
        kind = from_here if option.path else str
        parser.add_argument(
            flag, dest=option.name, metavar=option.metavar, help=option.help, type=kind
        )


def from_here(typed: str) -> str:
    """A path as it was typed, meant from the working folder, wherever the project's root is."""
    return str(Path(typed).expanduser().absolute())


def _parser(command: Command, doc: str) -> argparse.ArgumentParser:
    """A command's parser; its module's docstring says more and gives the examples."""
    _, _, more = doc.partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"flyteperf {command.name}",
        description=f"{command.what[0].upper()}{command.what[1:]}.",
        epilog=more.rstrip() or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _top() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS)) + 2
    listed = "\n".join(
        f"{title}:\n" + "".join(f"  {c.name:<{width}}{c.what}\n" for c in group)
        for title, group in GROUPS.items()
    )
    parser = argparse.ArgumentParser(
        prog="flyteperf",
        usage="flyteperf [--version] [--help] COMMAND ...",
        description="Performance regressions of Flyte, as failing tests.\n"
        "`flyteperf COMMAND --help` tells more of a command.",
        epilog=f"{listed}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    return parser


def _help_of_all(top: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def show(_: argparse.Namespace) -> int:
        top.print_help()
        return UsageError.exit_code

    return show


def _unknown(name: str) -> str:
    close = get_close_matches(name, COMMANDS, n=1)
    meant = f"did you mean {close[0]}?" if close else "`flyteperf --help` lists them"
    return f"{name}: there is no such command; {meant}"
