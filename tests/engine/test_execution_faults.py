"""Executions that go wrong on the embedded engine: one line each, and nothing left behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import fault_workflows
import pytest
import wf

from pytest_flyteperf.errors import ExecutionError, RegistrationError
from pytest_flyteperf.kubeapi import KubeApi

pytestmark = pytest.mark.engine


@pytest.fixture
def leftovers(deployment):
    """Names of the FlyteWorkflow objects and pods that are there."""
    namespace = deployment.namespace
    paths = (
        f"/apis/flyte.lyft.com/v1alpha1/namespaces/{namespace}/flyteworkflows",
        f"/api/v1/namespaces/{namespace}/pods",
    )
    with KubeApi.from_kubeconfig(deployment.cluster.kubeconfig) as api:
        yield lambda: [o["metadata"]["name"] for path in paths for o in api.list(path)["items"]]


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        ("raising", " ended FAILED: ValueError: planted failure; its recording: "),
        ("exits", "terminated with exit code (3)"),
        ("killed", "terminated with exit code (137)"),
    ],
)
def test_a_task_that_goes_wrong_is_one_line(execute, leftovers, workflow, said):
    with pytest.raises(ExecutionError) as caught:
        execute(workflow, getattr(fault_workflows, workflow))

    message = str(caught.value)
    assert message.startswith(f"{workflow}: execution {workflow}-r00-")
    assert said in message
    assert "\n" not in message
    assert leftovers() == []


def test_a_workflow_that_does_not_compile_is_one_line(execute, leftovers):
    with pytest.raises(RegistrationError) as caught:
        execute("incomplete", fault_workflows.incomplete)

    message = str(caught.value)
    assert message.startswith("fault_workflows.incomplete: workflow ")
    assert "nobodys_task" in message
    assert "\n" not in message
    assert leftovers() == []


def test_one_that_never_ends_is_aborted_and_recorded(execute, leftovers, tmp_path):
    with pytest.raises(ExecutionError, match="did not end within 2 s and was aborted"):
        execute("endless", fault_workflows.endless, timeout_s=2)

    (folder,) = (path.parent for path in tmp_path.rglob("recording.json"))
    assert json.loads((folder / "recording.json").read_bytes())["timed_out"]
    phase = json.loads((folder / "execution.json").read_bytes())["closure"]["phase"]
    assert phase == "ABORTED"
    assert leftovers() == []


@pytest.fixture
def endless(deployment, tmp_path):
    """Start a process that runs a workflow without end; waits until it has submitted it."""
    del deployment  # holds the cluster, which would go with the process
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, str(here / "run_endless.py"), str(here.parents[1]), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def submitted(process, leftovers):
    """Wait until the execution of an endless run is there; returns its name."""
    for line in process.stdout:
        if "repeat 1 of 1: endless-r00-" in line:
            name = line.split()[-1]
            while f"{name}-n0-0" not in leftovers():
                assert process.poll() is None
            return name
    raise AssertionError(process.stderr.read())


def test_an_interrupted_run_aborts_its_execution(endless, leftovers):
    name = submitted(endless, leftovers)
    endless.send_signal(signal.SIGINT)
    said, _ = endless.communicate(timeout=600)

    assert f"endless: aborting {name}" in said
    assert endless.returncode != 0
    assert leftovers() == []


def test_what_a_killed_run_left_is_gone_when_the_next_one_measures(endless, execute, leftovers):
    name = submitted(endless, leftovers)
    endless.kill()
    endless.wait()
    assert name in leftovers()
    (folder,) = execute("echo_chain", wf.echo_chain)

    assert leftovers() == []
    assert folder.exists()
