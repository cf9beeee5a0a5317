"""Traces that this machine does not receive: those of a Jaeger, reached in either way."""

import json
import time

import msgspec
import pytest

from pytest_flyteperf.collect import traces
from pytest_flyteperf.collect.traces import Ended, JaegerTraces
from pytest_flyteperf.collect.tracesource import over_http
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi
from tests.doubles.flyte import FakeFlyte
from tests.doubles.jaeger import FakeJaeger

END_US = 2_000_000
ENDED = Ended(names=("e", "child"), start_ns=0, end_ns=END_US * 1000 + 999)


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


def elsewhere(flyte, jaeger):
    """A deployment whose traces do not come to this machine."""
    found = flyte.deployment(jaeger=jaeger)
    cluster = msgspec.structs.replace(found.cluster, traces=None)
    return msgspec.structs.replace(found, cluster=cluster)


def test_the_last_handle_is_waited_for(monkeypatch):
    monkeypatch.setattr(JaegerTraces, "poll_s", 0.0)
    with FakeJaeger("e", start_us=END_US - 6000) as jaeger:
        source = JaegerTraces(over_http(jaeger.url))

        class Clock:
            """The handle comes when it has been looked for a second time."""

            def __call__(self):
                if len(jaeger.asked) > 1:
                    (trace,) = jaeger.answer["data"]
                    trace["spans"][0]["startTime"] = END_US - 5000
                return time.monotonic_ns()

        assert traces.wait(source, 0, ENDED, 0.0, Clock())
    assert len(jaeger.asked) == 3


def test_one_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setattr(JaegerTraces, "grace_s", 0.0)
    monkeypatch.setattr(JaegerTraces, "poll_s", 0.0)
    with FakeJaeger("e", start_us=0) as jaeger:
        assert not traces.wait(
            JaegerTraces(over_http(jaeger.url)), 0, ENDED, 0.0, time.monotonic_ns
        )


def test_what_launch_plans_started_is_asked_for_too():
    with FakeJaeger("e", start_us=END_US) as jaeger:
        name, content = JaegerTraces(over_http(jaeger.url)).content(0, ENDED)

    assert [json.loads(asked["tags"])["exec_id"] for asked in jaeger.asked] == ["e", "child"]
    assert name == "jaeger.json"
    assert len(json.loads(content)["data"]) == 1


def test_one_within_the_cluster_is_asked_through_its_api_server(flyte):
    path = "/api/v1/namespaces/monitoring/services/http:jaeger-query:16686/proxy/api/traces"
    flyte.kube.pages[path] = {"data": []}
    deployment = elsewhere(flyte, "monitoring/jaeger-query:16686")

    with KubeApi.from_kubeconfig(deployment.cluster.kubeconfig) as api:
        source = traces.source(deployment, api)
        assert source.content(0, ENDED) == ("jaeger.json", b'{"data":[]}')


def test_without_a_jaeger_there_are_none(flyte):
    assert traces.source(elsewhere(flyte, None), None) is None


def test_a_jaeger_that_does_not_answer_is_named():
    source = JaegerTraces(over_http("http://127.0.0.1:1/"))

    with pytest.raises(DeploymentError, match=r"http://127\.0\.0\.1:1/: no traces \("):
        source.content(0, ENDED)
