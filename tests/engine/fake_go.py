"""A program that answers as `go` does, by a script of what to do, and notes its calls."""

import json
import re
import sys
from pathlib import Path

PROGRAM = """#!{python} -IS
import json, os, signal, sys, time
from pathlib import Path

home = Path(__file__).parent
plan = json.loads((home / "plan.json").read_text())
verb, *arguments = sys.argv[1:]
with (home / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([verb, *arguments]) + "\\n")

def say(lines):
    for line in lines:
        print(line, file=sys.stderr, flush=True)

if verb == "env":
    print(json.dumps(plan["env"]))
elif verb == "list":
    say(plan["downloads"])
    print("a\\nb\\nc")
elif verb == "mod":
    print(json.dumps(plan["mod"]))
elif verb == "build":
    say(plan["said"])
    folder = Path(arguments[arguments.index("-o") + 1])
    words = [a for a in arguments if "/" in a and not a.startswith("-")]
    packages = [a for a in words if a != str(folder) + "/"]
    names = [p.split("/")[-2] if p.endswith("/v3") else p.split("/")[-1] for p in packages]
    for name in names:
        program = folder / name
        program.write_text("#!/bin/sh\\n" + plan["content"])
        program.chmod(0o755)
        if plan["hang"]:
            break
    if plan["hang"]:
        def interrupted(*_):
            with (home / "interrupted").open("a") as note:
                print(os.getpid(), file=note)
            sys.exit(1)
        signal.signal(signal.SIGINT, interrupted)
        with (home / "hanging").open("a") as hanging:
            print(os.getpid(), file=hanging)
        while True:
            time.sleep(60)
    sys.exit(plan["exit"])
"""


class FakeGo:
    """One such program in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "go"
        self.path.write_text(PROGRAM.format(python=sys.executable))
        self.path.chmod(0o755)
        self.plan = {
            "env": {
                "GOVERSION": "go1.26.8",
                "GOHOSTOS": "linux",
                "GOHOSTARCH": "amd64",
                "GOFLAGS": "",
                "GOCACHE": str(folder / "cache"),
                "GOMODCACHE": str(folder / "modules"),
                "GOPROXY": "https://proxy.example,direct",
            },
            "downloads": [],
            "mod": {},
            "said": ["example.org/a", "example.org/b"],
            "content": "exit 0\n",
            "hang": False,
            "exit": 0,
        }
        self.does()

    def does(self, **changes: object) -> None:
        """Change what it will do."""
        self.plan |= changes
        (self.folder / "plan.json").write_text(json.dumps(self.plan))

    def has_version(self, version: str) -> None:
        self.does(env=self.plan["env"] | {"GOVERSION": version})

    def calls(self, verb: str) -> list[list[str]]:
        """The calls of a verb so far."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call[0] == verb]

    @property
    def hanging(self) -> list[int]:
        """Process ids of builds that hang, or did."""
        return self._noted("hanging")

    @property
    def interrupted(self) -> list[int]:
        """Those of them that ended because of SIGINT."""
        return self._noted("interrupted")

    def all_gone(self) -> bool:
        """Whether each of them has ended, if only as a zombie that nobody waits for."""
        return all(map(_gone, self.hanging))

    def _noted(self, name: str) -> list[int]:
        path = self.folder / name
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def _gone(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return re.search(r"^State:\s+Z", status, re.MULTILINE) is not None
