"""The kubelet as a process, with the real API server and fork server."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.doubles.kube_node import KubeNode

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with KubeNode(tmp_path_factory.mktemp("node")) as started:
        yield started


def states(pod):
    return pod["status"]["containerStatuses"][0]["state"]


def test_the_api_server_takes_stamps_with_the_phase(node):
    node.create("stamped", ["true"])
    node.wait_phase("stamped", "Succeeded")

    stamps = [
        set(event["object"]["metadata"].get("annotations", ()))
        for _, event in node.history("stamped")
    ]
    assert stamps == [
        set(),
        set(),
        {"flyteperf.dev/started-ns"},
        {"flyteperf.dev/started-ns", "flyteperf.dev/finished-ns", "flyteperf.dev/use"},
    ]
    assert node.phases("stamped") == ["Pending", "Pending", "Running", "Succeeded"]


@pytest.mark.parametrize(
    ("name", "command", "code", "reason"),
    [
        ("three", ["sh", "-c", "exit 3"], 3, "Error"),
        ("segfault", ["sh", "-c", "kill -SEGV $$$$"], 139, "Error"),
        ("missing", ["no-such-program"], 128, "StartError"),
    ],
)
def test_failures_are_stored_as_they_are(node, name, command, code, reason):
    node.create(name, command)

    ended = states(node.wait_phase(name, "Failed"))["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (code, reason)


def test_a_running_pod_is_deleted(node):
    node.create("deleted", ["sleep", "1000"])
    node.wait_phase("deleted", "Running")
    node.delete("deleted")

    node.wait(lambda: node.history("deleted")[-1][1]["type"] == "DELETED")
    assert states(node.history("deleted")[-1][1]["object"])["terminated"]["exitCode"] == 143


def test_a_pod_larger_than_the_machine_is_unschedulable(node):
    node.create("large", ["true"], resources={"requests": {"memory": "1Ei"}})
    node.wait(lambda: len(node.history("large")) == 2)

    (condition,) = node.history("large")[-1][1]["object"]["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    node.delete("large")
    node.wait(lambda: node.history("large")[-1][1]["type"] == "DELETED")


def test_the_node_is_ready_and_takes_pods(node):
    found = json.loads(node.api.request("GET", "/api/v1/nodes/flyteperf"))

    assert "taints" not in found["spec"]
    assert [(c["type"], c["status"]) for c in found["status"]["conditions"]] == [("Ready", "True")]
    assert found["status"]["capacity"]["pods"] == "8"


def test_a_kubelet_that_is_killed_loses_nothing(node):
    # Long enough that none ends while the next kubelet starts: such an end is lost, see
    # test_kubelet_restart.py.
    names = [f"kept-{place}" for place in range(40)]
    for name in names:
        node.create(name, ["sleep", "1.5"])
    node.wait(lambda: sum(node.phases(name)[-1:] == ["Succeeded"] for name in names) > 3)
    node.restart("kubelet")

    node.wait_all(names, "Succeeded", 60)


@pytest.mark.slow
def test_a_thousand_pods_are_all_accounted_for(node):
    names = [f"wide-{place}" for place in range(1000)]
    for name in names:
        node.create(name, ["true"])

    node.wait_all(names, "Succeeded", 600)
    assert Counter(len(node.history(name)) for name in names) == {4: 1000}
