#!/usr/bin/python3 -SE
"""runc where even root lacks CAP_SYS_RESOURCE: asks of the kernel only what it may grant.

Docker's `--privileged` names every capability, higher limits and negative OOM scores. This edits
the bundle, or the process of an `exec`, and then becomes runc.
"""

import json
import os
import resource
import sys

LACKING = "CAP_SYS_RESOURCE"
RUNC = "/usr/sbin/runc"


def tame(process: dict) -> None:
    for kept in (process.get("capabilities") or {}).values():
        if LACKING in kept:
            kept.remove(LACKING)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": most, "hard": most}]
    if (process.get("oomScoreAdj") or 0) < 0:
        process["oomScoreAdj"] = 0


def edit(path: str, key: str | None) -> None:
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    tame(content[key] if key else content)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)


def value(arguments: list[str], *names: str) -> str | None:
    for i, argument in enumerate(arguments):
        name, equals, given = argument.partition("=")
        if name in names:
            return given if equals else arguments[i + 1]
    return None


def main(arguments: list[str]) -> None:
    if "create" in arguments or "run" in arguments:
        bundle = value(arguments, "--bundle", "-b") or "."
        edit(os.path.join(bundle, "config.json"), "process")
    elif "exec" in arguments:
        process = value(arguments, "--process", "-p")
        if process:
            edit(process, None)
    os.execv(RUNC, [RUNC, *arguments])


main(sys.argv[1:])
