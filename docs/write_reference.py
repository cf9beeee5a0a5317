"""Write the reference from what the program reads: `python docs/write_reference.py [DIR]`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent

from pytest_flyteperf.cli.commands import COMMANDS, GROUPS, Command
from pytest_flyteperf.options import OPTIONS

HERE = Path(__file__).parent


def options() -> str:
    """Every option: flag, variable, ini key, default."""
    lines = [
        "# Options",
        "",
        "Each can be given as a flag of pytest, an environment variable or an ini key; the flag",
        "wins over the variable, that over the ini key. Commands take the flag without",
        "`flyteperf-`, e.g. `flyteperf run --short`.",
        "",
        "| flag | variable | ini key | default | what it does |",
        "|---|---|---|---|---|",
    ]
    for option in OPTIONS:
        shown = "" if option.default in {None, False} else f"`{option.default}`"
        text = option.help + (f": {', '.join(option.known)}" if option.choices else "")
        flag = option.flag + (f" {option.metavar}" if option.metavar else "")
        names = f"| `{flag}` | `{option.variable}` | `{option.ini}` "
        lines.append(f"{names}| {shown} | {text.replace('|', '/')} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """Every command, by what it is for."""
    lines = [
        "# Commands",
        "",
        "`flyteperf COMMAND --help` tells options and examples. What prints takes `--json`.",
    ]
    for title, group in GROUPS.items():
        lines += [
            "",
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| command | what it does |",
            "|---|---|",
        ]
        lines += [f"| [`flyteperf {one.name}`](#{one.name}) | {one.what} |" for one in group]
    codes = {
        0: "fine",
        1: "regressed or failed",
        2: "usage",
        3: "undecided under strict",
        4: "infrastructure",
        5: "invalid measurement",
        130: "interrupted",
    }
    lines += ["", "## Exit codes", "", "| code | meaning |", "|--:|---|"]
    lines += [f"| {code} | {text} |" for code, text in codes.items()]
    lines += ["", "## How each is typed"]
    for command in COMMANDS.values():
        lines += ["", f"### {command.name}", "", *_typed(command)]
    return "\n".join([*lines, ""])


def _typed(command: Command) -> list[str]:
    """What a command's help says beside its options."""
    _, _, more = (import_module(command.module).__doc__ or "").partition("\n\n")
    text, _, examples = more.partition("Examples:\n")
    shown = dedent(examples).rstrip().splitlines()
    prose = [line.replace("<", "&lt;") for line in text.strip().splitlines()]
    return [*prose, *([""] if prose else []), "```sh", *shown, "```"]


PAGES = {"options.md": options, "commands.md": commands}


def main(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "reference")
