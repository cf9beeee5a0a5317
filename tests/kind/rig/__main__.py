"""Make all that kind needs on this machine, and run a command with it.

`python tests/kind/rig [COMMAND...]`: makes what is not in the cache, starts the daemon, prints the
environment, and runs the command in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.kind.rig import rig
from tests.kind.rig.command import RigError


def main(command: list[str]) -> int:
    try:
        with rig.up() as environment:
            for name, value in environment.items():
                print(f"{name}={value}", flush=True)
            if command:
                return subprocess.run(command, env=os.environ | environment, check=False).returncode
    except RigError as error:
        sys.stderr.write(f"rig: {error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
