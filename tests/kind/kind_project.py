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

    def pytest_until(self, said, *arguments):
        """Start pytest and return once it says something; its output goes on being read."""
        process = subprocess.Popen(
            (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments),
            cwd=self.folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines = []
        for line in process.stdout:
            lines.append(line)
            if said in line:
                return process
        raise AssertionError(f"ended without {said!r}: {''.join(lines)}")

    def left(self):
        """Folders of clusters that still hold more than logs."""
        folders = (self.folder / "state/clusters").glob("kind-*/")
        return [f.name for f in folders if {p.name for p in f.iterdir()} - {"logs"}]

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
