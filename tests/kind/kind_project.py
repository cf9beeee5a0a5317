"""A project whose commands are run as a user types them, and the kind nodes that there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class Project:
    """Runs pytest and the command line as a user does."""

    def __init__(self, folder: Path):
        self.folder = folder

    def pytest(self, *arguments, timeout=600):
        command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
        return self._run(command, timeout)

    def flyteperf(self, *arguments, timeout=600):
        return self._run((sys.executable, "-m", "pytest_flyteperf.cli", *arguments), timeout)

    def start_watched(self, *arguments, until):
        """Start a command and return once it says something."""
        process = subprocess.Popen(
            (sys.executable, "-m", "pytest_flyteperf.cli", *arguments),
            cwd=self.folder,
            env=os.environ,
            start_new_session=True,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        said = []
        for line in process.stderr:
            said.append(line)
            if until in line:
                return process
        raise AssertionError(f"ended without {until!r}: {said}")

    def _run(self, command, timeout):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ,
            timeout=timeout,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def containers(environment):
    """Names of the kind nodes that exist, of whatever cluster."""
    label = "label=io.x-k8s.kind.cluster"
    listed = subprocess.run(
        ["docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}"],
        env=os.environ | environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return listed.stdout.split()
