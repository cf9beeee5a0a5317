import time
from datetime import UTC, datetime

import pytest

from pytest_flyteperf.collect import Collector
from pytest_flyteperf.collect.traces import Ended
from pytest_flyteperf.errors import DeploymentError
from tests.doubles.flyte import FakeFlyte
from tests.doubles.kube import WORKFLOWS, flyteworkflow

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ESTABLISHED = 1_800_000_000


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


@pytest.fixture
def slept(monkeypatch):
    naps = []
    monkeypatch.setattr("pytest_flyteperf.collect.collector.time.sleep", naps.append)
    return naps


class TestSettle:
    def definition(self, flyte):
        stamp = datetime.fromtimestamp(ESTABLISHED, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Established", "status": "True", "lastTransitionTime": stamp}
        status = {"conditions": [{"type": "NamesAccepted"}, condition]}
        metadata = {"name": "flyteworkflows.flyte.lyft.com"}
        flyte.kube.put(DEFINITIONS, {"metadata": metadata, "status": status})

    def settle(self, flyte, age_s):
        now = ESTABLISHED * 1_000_000_000 + round(age_s * 1e9)
        with Collector(flyte.deployment(), wall_ns=lambda: now) as collector:
            collector.settle()

    def test_a_fresh_definition_is_waited_for(self, flyte, slept):
        self.definition(flyte)
        self.settle(flyte, 0.5)

        assert slept == [2.5]

    @pytest.mark.parametrize("age_s", [3.0, 1e6, -60.0], ids=["settled", "old", "skewed"])
    def test_another_is_not(self, flyte, slept, age_s):
        self.definition(flyte)
        self.settle(flyte, age_s)

        assert slept == []

    def test_one_that_cannot_be_seen_is_not(self, flyte, slept):
        self.settle(flyte, 0.5)

        assert slept == []


def test_metrics_that_do_not_come_are_one_line(flyte):
    deployment = flyte.deployment(metrics={"propeller": ("http://127.0.0.1:1/metrics",)})
    with (
        Collector(deployment) as collector,
        pytest.raises(DeploymentError, match=r"127.0.0.1:1/metrics: no metrics of propeller \("),
    ):
        collector.mark()


def test_an_end_that_flyteadmin_never_confirms_is_reported(flyte, monkeypatch):
    monkeypatch.setattr("pytest_flyteperf.collect.collector.CONFIRM_S", 0.0)
    with Collector(flyte.deployment()) as collector:
        mark = collector.mark()
        flyte.admin.put("e", "RUNNING")
        flyte.kube.put(WORKFLOWS, flyteworkflow("e", terminated=True))
        with pytest.raises(
            DeploymentError, match=r"e: its FlyteWorkflow object ended but .* RUNNING"
        ):
            collector.wait("e", mark, 10, lambda: None)


def test_the_exporters_delay_is_waited_out_in_full(flyte):
    with Collector(flyte.deployment(trace_delay_s=0.3)) as collector:
        mark = collector.mark()
        flyte.admin.put("e", "SUCCEEDED")
        flyte.export_handle("e")
        flyte.kube.put(WORKFLOWS, flyteworkflow("e", terminated=True))
        end = collector.wait("e", mark, 10, lambda: None)
        collector._await_traces(mark, end, Ended(["e"], 0, 0))

        assert time.time() >= end.unix_s + 0.3


def test_a_wait_without_an_end_is_over_in_time(flyte):
    with Collector(flyte.deployment()) as collector:
        mark = collector.mark()
        flyte.kube.put(WORKFLOWS, flyteworkflow("e"))

        assert collector.wait("e", mark, 0.05, lambda: None) is None
