"""Which commands there are; to add one, add its line here and a module of its name.

A dash in a name is an underscore in its module's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: its name, and what it does, as one line of help."""

    name: str
    what: str

    @property
    def module(self) -> str:
        """The module that holds `arguments` and `run`."""
        return f"{__package__}.{self.name.replace('-', '_')}"


GROUPS: dict[str, tuple[Command, ...]] = {
    "measure and gate": (
        Command("run", "run a portfolio under pytest"),
        Command("ab", "measure two Flytes in turns, and tell what differs"),
        Command("accept", "take what a run measured for the baseline of its cases"),
        Command("history", "show the series of a case's runs, and where its level changed"),
        Command("new", "write a case of your own, to be changed"),
        Command("compare", "subtract the results of run A from those of run B"),
        Command("report", "write a run as a page, or as traces for other tools"),
        Command("comment", "print a run as Markdown for a pull request"),
        Command("schema", "print the JSON Schema of a document"),
    ),
    "look into one execution": (
        Command("analyze", "compute the measures of recordings"),
        Command("explain", "tell where the time of an execution went"),
        Command("record", "record a finished execution of a live Flyte"),
        Command("fold-logs", "fold Propeller's log into handles, rounds and changes"),
    ),
    "keep Flyte up": (
        Command("up", "start a cluster with Flyte and leave it up"),
        Command("provision", "start a cluster alone, and print where it is, as JSON"),
        Command("deploy", "put Flyte on a provisioned cluster, and print it, as JSON"),
        Command("status", "show what is up"),
        Command("down", "stop the cluster of this project"),
    ),
    "this machine": (
        Command("doctor", "what this machine can run, and what is missing"),
        Command("engine", "build or remove the embedded engine's programs"),
        Command("reap", "end what killed runs left behind"),
    ),
}

COMMANDS: dict[str, Command] = {
    command.name: command for group in GROUPS.values() for command in group
}
