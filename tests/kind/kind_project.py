"""A project whose commands are run as a user types them, and the kind nodes that there are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_flyteperf.engine.reap import supervisor_pid

REPOSITORY = Path(__file__).parents[2]
FLYTEPERF = (sys.executable, "-m", "pytest_flyteperf.cli")


class Project:
    """Runs pytest and the command line as a user does."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = environment | {"FLYTEPERF_STATE": str(folder / "state")}

    def pytest(self, *arguments):
        return self._run(_pytest(*arguments))

    def measured(self, *arguments, tries=3):
        """What a run says that did all its work, on a machine that may be busy for a while."""
        for _ in range(tries):
            done = self.pytest(*arguments)
            if done.returncode == 0:
                return done.stdout
        if "measurement invalid" in done.stdout:
            pytest.skip(f"too busy to measure on: {tries} runs of invalid repeats")
        raise AssertionError(done.stdout)

    def flyteperf(self, *arguments):
        return self._run((*FLYTEPERF, *arguments))

    def deployed(self):
        """What `flyteperf deploy` says of the Flyte that is up."""
        (cluster,) = self.clusters()
        return json.loads((cluster / "deployment.json").read_text())

    def repeat(self, case):
        """Recording of the first repeat of a case in the latest run that has it."""
        return max((self.folder / ".flyteperf/runs").glob(f"*/{case}/0"))

    def measures(self, repeat):
        return json.loads(self.told(*FLYTEPERF, "explain", "--json", str(repeat)))["metrics"]

    @contextmanager
    def until(self, said, command):
        """A command in a session of its own, once it has said something; killed in the end."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | self.environment | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with process:
            try:
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if said in line:
                        break
                else:
                    raise AssertionError(f"ended without {said!r}: {''.join(lines)}")
                yield process
            finally:
                os.killpg(process.pid, signal.SIGKILL)

    def pytest_until(self, said, *arguments):
        return self.until(said, _pytest(*arguments))

    def flyteperf_until(self, said, *arguments):
        return self.until(said, (*FLYTEPERF, *arguments))

    def kill_supervisor(self, of="kind"):
        """Kill who would end the cluster in order."""
        (cluster,) = self.clusters(of)
        pid = supervisor_pid(cluster)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def reap(self):
        """What `flyteperf reap` says; a cluster that still ends by itself is waited for."""
        said = []
        deadline = time.monotonic() + 120
        while self.left() and time.monotonic() < deadline:
            reaped = self.flyteperf("reap")
            assert reaped.returncode == 0, reaped.stdout
            said.append(reaped.stdout)
        return "".join(said)

    def await_node(self):
        """Wait until a node's container is there."""
        deadline = time.monotonic() + 120
        while not self.nodes():
            assert time.monotonic() < deadline, "no node"
            time.sleep(0.1)

    def await_end(self, of):
        """Wait until the clusters of a kind are gone: their supervisors end them after a run."""
        deadline = time.monotonic() + 180
        while self.left(of):
            assert time.monotonic() < deadline, self.left(of)
            time.sleep(0.1)

    def await_deletion(self):
        """Wait until kind is deleting a cluster."""
        deadline = time.monotonic() + 120
        while self._run(("pgrep", "-f", "kind delete cluster --name flyteperf-")).returncode:
            assert time.monotonic() < deadline, "nothing is deleted"
            time.sleep(0.01)

    def left(self, of="kind"):
        """Folders of clusters that still hold more than logs."""
        return [f.name for f in self.clusters(of) if {p.name for p in f.iterdir()} - {"logs"}]

    def nodes(self):
        """Names of the kind nodes that exist, of whatever cluster."""
        return self.docker(
            *("ps", "--all", "--filter", "label=io.x-k8s.kind.cluster"),
            *("--format", "{{.Names}}"),
        ).split()

    def of_flyte(self, kubeconfig):
        """What of Flyte's is on a cluster: namespaces, and what belongs to no namespace."""
        kinds = "namespaces,crds,clusterroles,clusterrolebindings,mutatingwebhookconfigurations"
        names = self.told("kubectl", "--kubeconfig", kubeconfig, "get", kinds, "-o", "name")
        return [name for name in names.split() if "flyte" in name]

    def docker(self, *arguments):
        return self.told("docker", *arguments)

    def pods(self, namespace, selector):
        """Pods of the cluster that is up, as Kubernetes tells of them."""
        where = ("--kubeconfig", self.deployed()["cluster"]["kubeconfig"], "-n", namespace)
        return json.loads(
            self.told("kubectl", *where, "get", "pods", "-l", selector, "-o", "json")
        )["items"]

    def told(self, *command):
        """What a command says that succeeds."""
        done = self._run(command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def clusters(self, of="kind"):
        """Folders of the clusters of a kind."""
        return list((self.folder / "state/clusters").glob(f"{of}-*/"))

    def _run(self, command):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | self.environment,
            timeout=600,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def _pytest(*arguments):
    return (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
