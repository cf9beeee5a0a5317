"""Pages of metrics: what is kept of them, and what is said of those that are not there."""

import msgspec
import pytest

from pytest_flyteperf.collect.pages import Scraper, page_name
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi
from tests.doubles.flyte import FakeFlyte

KEPT = (
    b'apiserver_request_duration_seconds_count{resource="pods",verb="POST"} 6\n'
    b'etcd_request_duration_seconds_sum{operation="create",resource="pods"} 0.02\n'
)
LEFT = (
    b"# HELP apiserver_request_duration_seconds x\n"
    b'apiserver_request_duration_seconds_bucket{resource="pods",le="1"} 6\n'
    b"go_threads 9\n"
)
CONTAINER = b'container_cpu_usage_seconds_total{container="flyte",pod="p"} 1.5 1795387272327\n'
NODE = "/api/v1/nodes/one/proxy/metrics/cadvisor"


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


def read(flyte, kind):
    deployment = flyte.deployment()
    cluster = msgspec.structs.replace(deployment.cluster, kind=kind)
    deployment = msgspec.structs.replace(deployment, cluster=cluster)
    with (
        KubeApi.from_kubeconfig(cluster.kubeconfig) as api,
        Scraper(deployment, api) as scraper,
    ):
        return scraper.read()


def test_of_the_api_servers_page_counts_and_sums_are_kept(flyte):
    flyte.kube.pages["/metrics"] = LEFT + KEPT

    assert read(flyte, "local").texts["kube-apiserver"] == KEPT


def test_nodes_are_asked_for_their_containers_where_they_know_any(flyte):
    flyte.kube.put("/api/v1/nodes", {"metadata": {"name": "one"}})
    flyte.kube.pages[NODE] = b"# TYPE x counter\n" + CONTAINER

    assert read(flyte, "kind").texts["cadvisor-one"] == CONTAINER
    assert "cadvisor-one" not in read(flyte, "local").texts


def test_what_may_not_be_read_is_absent_and_says_why(flyte):
    flyte.kube.forbidden = True
    pages = read(flyte, "existing")

    assert sorted(pages.absent) == ["cadvisor", "kube-apiserver"]
    assert "403 pods is forbidden" in pages.absent["kube-apiserver"]
    assert pages.texts == {}


@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("propeller", "metrics.before.prom"),
        ("flyte", "metrics.before.prom"),
        ("admin", "metrics.admin.before.prom"),
        ("cadvisor-ip-10.internal", "metrics.cadvisor-ip-10.internal.before.prom"),
    ],
)
def test_the_main_components_page_has_no_name_of_its_own(component, name):
    assert page_name(component, "before") == name


def test_a_path_of_the_kubernetes_api_is_read_through_it(flyte):
    flyte.kube.pages["/api/v1/namespaces/flyte/pods/f:10254/proxy/metrics"] = b"go_threads 9\n"
    deployment = msgspec.structs.replace(
        flyte.deployment(),
        metrics={"propeller": ("/api/v1/namespaces/flyte/pods/f:10254/proxy/metrics",)},
    )
    with (
        KubeApi.from_kubeconfig(deployment.cluster.kubeconfig) as api,
        Scraper(deployment, api) as scraper,
    ):
        assert scraper.read().texts["propeller"] == b"go_threads 9\n"


def test_a_prometheus_is_read_again_until_it_has_scraped(flyte, monkeypatch):
    told = [b"# TYPE a counter\na 7 0\n", b"# TYPE a counter\na 7 99999999999999\n"]
    naps = []
    deployment = flyte.deployment(metrics={"propeller": ("http://prometheus/federate?match",)})
    with (
        KubeApi.from_kubeconfig(deployment.cluster.kubeconfig) as api,
        Scraper(deployment, api) as scraper,
    ):
        monkeypatch.setattr(scraper, "_served", lambda *_: told[len(naps)])
        monkeypatch.setattr("pytest_flyteperf.collect.pages.time.sleep", naps.append)
        assert scraper.read().texts["propeller"] == told[1]
        assert naps == [1.0]
        told[1] = told[0]
        monkeypatch.setattr("pytest_flyteperf.collect.pages.SCRAPE_S", 0.0)
        naps.clear()
        with pytest.raises(DeploymentError, match="see the Prometheus' targets"):
            scraper.read()
