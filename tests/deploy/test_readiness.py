from __future__ import annotations

import threading

import pytest

from pytest_flyteperf.deploy.readiness import await_pods
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.progress import Beat, silent
from pytest_flyteperf.waiting import await_collection
from tests.doubles.kube import FakeKube

PODS = "/api/v1/namespaces/flyte/pods"
EVENTS = "/api/v1/namespaces/flyte/events"
DEPLOYMENTS = "/apis/apps/v1/namespaces/flyte/deployments"


@pytest.fixture
def kube():
    with FakeKube() as kube:
        yield kube


@pytest.fixture
def api(kube, tmp_path):
    with KubeApi.from_kubeconfig(kube.kubeconfig(tmp_path)) as api:
        yield api


def pod(name, *, ready=False, waiting=None, restarts=0):
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {"name": name, "namespace": "flyte"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {"name": "main", "ready": ready, "state": state, "restartCount": restarts}
            ],
        },
    }


def wait(api, most_s=30.0):
    return await_pods(api, "flyte", most_s, Beat(silent, "deploying"))


def test_a_pod_is_awaited_on_the_watch(kube, api):
    kube.put(PODS, pod("flyte-1"))
    made_ready = threading.Timer(0.2, kube.put, (PODS, pod("flyte-1", ready=True)))
    made_ready.start()

    assert [p["metadata"]["name"] for p in wait(api)] == ["flyte-1"]
    made_ready.join()


def deployment(observed, updated):
    return {
        "metadata": {"name": "flyte", "namespace": "flyte", "generation": 2},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": observed,
            "replicas": 1,
            "updatedReplicas": updated,
            "readyReplicas": 1,
        },
    }


@pytest.mark.parametrize("before", [(1, 1), (2, 0)], ids=["not seen", "not begun"])
def test_pods_from_before_an_upgrade_are_not_waited_for(kube, api, before):
    kube.put(PODS, pod("flyte-1", ready=True))
    kube.put(DEPLOYMENTS, deployment(*before))

    def upgrade():
        kube.delete(PODS, "flyte-1")
        kube.put(DEPLOYMENTS, deployment(2, 1))
        kube.put(PODS, pod("flyte-2", ready=True))

    later = threading.Timer(0.2, upgrade)
    later.start()

    assert [p["metadata"]["name"] for p in wait(api)] == ["flyte-2"]
    later.join()


def test_an_image_that_is_not_there_is_told_at_once_with_its_event(kube, api):
    kube.put(PODS, pod("flyte-1", waiting="ImagePullBackOff"))
    for name, message in (("e1", "pull of x:1: not\n found"), ("e2", "Back-off pulling")):
        reason = "BackOff" if name == "e2" else "Failed"
        kube.put(EVENTS, {"metadata": {"name": name}, "reason": reason, "message": message})

    with pytest.raises(DeploymentError) as refusal:
        wait(api)
    assert str(refusal.value) == (
        "pod flyte/flyte-1 is not ready: container main ImagePullBackOff: pull of x:1: not found"
    )


def test_a_container_that_keeps_ending_is_told_with_its_last_words(kube, api):
    kube.put(PODS, pod("flyte-1", waiting="CrashLoopBackOff", restarts=4))
    kube.put(f"{PODS}/flyte-1", {"metadata": {"name": "log"}, "msg": "fatal: no such database"})

    with pytest.raises(DeploymentError, match="CrashLoopBackOff: its log: fatal: no such database"):
        wait(api)


def test_what_is_late_is_named(kube, api):
    kube.put(PODS, pod("flyte-1"))
    kube.close_watches()
    late = threading.Timer(0.3, kube.close_watches)
    late.start()

    with pytest.raises(DeploymentError, match=r"main is starting: .*\(after 0 s\)"):
        wait(api, most_s=0.0)
    late.join()


def test_no_pods_are_not_ready_pods(api):
    with pytest.raises(DeploymentError, match="flyte: its pods are not there after 0 s"):
        wait(api, most_s=0.0)


def test_good_may_say_so_at_once(api):
    assert await_collection(api, PODS, lambda items: not items, 1.0)
