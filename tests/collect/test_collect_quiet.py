"""Who else uses a cluster."""

import pytest

from pytest_flyteperf.collect import quiet
from pytest_flyteperf.collect.quiet import Neighbours
from pytest_flyteperf.kubeapi import KubeApi
from tests.doubles.kube import FakeKube, flyteworkflow


@pytest.fixture
def kube():
    with FakeKube() as kube:
        yield kube


@pytest.fixture
def api(kube, tmp_path):
    with KubeApi.from_kubeconfig(kube.kubeconfig(tmp_path)) as api:
        yield api


def node(name, **conditions):
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {"metadata": {"name": name}, "status": {"conditions": listed}}


def test_unfinished_workflows_of_others_are_counted(kube, api):
    for name, over in (("ours", False), ("theirs", False), ("over", True)):
        kube.put(quiet.WORKFLOWS, flyteworkflow(name, terminated=over))

    assert quiet.look(api, ["ours"]) == Neighbours(workflows=1, pressed=())


def test_nodes_in_need_are_named(kube, api):
    kube.put(quiet.NODES, node("one", Ready="True", MemoryPressure="False"))
    kube.put(quiet.NODES, node("two", Ready="True", MemoryPressure="True"))

    assert quiet.look(api).pressed == ("two: MemoryPressure",)


def test_what_may_not_be_listed_is_unknown(kube, api):
    kube.forbidden = True

    assert quiet.look(api) == Neighbours(workflows=None, pressed=None)
