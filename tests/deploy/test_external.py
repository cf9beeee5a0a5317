"""A Flyte that runs already, found on a cluster by its charts' labels."""

import pytest
import yaml
from flyteidl.admin import version_pb2
from msgspec.structs import replace

from pytest_flyteperf.collect import Admin
from pytest_flyteperf.collect.pages import Scraper
from pytest_flyteperf.deploy.external import Sought, find
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.forward import reached
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import AdminKind
from pytest_flyteperf.provision.existing import Wish, open_cluster
from tests.doubles.admin import FakeAdmin
from tests.doubles.kube import FakeKube

HERE = Sought(project="flytesnacks", domain="development")
NAMESPACE = "/api/v1/namespaces/flyte"
LABEL = "app.kubernetes.io/name"
METRICS = "/api/v1/namespaces/flyte/pods/{}:10254/proxy/metrics"


def labelled(name, label, **parts):
    return {"metadata": {"name": name, "namespace": "flyte", "labels": {LABEL: label}}, **parts}


def service(name="flyteadmin", label="flyteadmin"):
    ports = [{"name": "http", "port": 80}, {"name": "grpc", "port": 81, "targetPort": 8089}]
    return labelled(name, label, spec={"selector": {LABEL: label}, "ports": ports})


def pod(name, label, phase="Running"):
    ready = [{"type": "Ready", "status": "True"}]
    return labelled(
        name, label, spec={"containers": []}, status={"phase": phase, "conditions": ready}
    )


@pytest.fixture
def admin():
    with FakeAdmin() as admin:
        yield admin


@pytest.fixture
def kube(admin):
    with FakeKube() as kube:
        kube.pages["/version"] = {"gitVersion": "v1.33.0"}
        kube.forwards[8089] = admin.port
        kube.put("/api/v1/services", service())
        kube.put(f"{NAMESPACE}/services", service())
        kube.put(f"{NAMESPACE}/pods", pod("flyteadmin-0", "flyteadmin"))
        yield kube


@pytest.fixture
def cluster(kube, tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    return open_cluster(Wish(kubeconfig=str(kube.kubeconfig(tmp_path))))


def test_the_only_flyteadmin_is_found_and_reached_through_the_api_server(cluster, admin):
    found = find(cluster, HERE)

    assert found.admin_service == "flyte/flyteadmin:81"
    assert found.subject.flyte == "v1.16.8 at flyte/flyteadmin:81"
    assert found.environment.admin_kind is AdminKind.FLYTEADMIN
    with reached(found) as here, Admin(here) as client:
        assert here.admin_endpoint.startswith("127.0.0.1:")
        client.call("GetVersion", version_pb2.GetVersionRequest())
    assert admin.calls == ["GetVersion"] * 2


def test_what_shall_be_forwarded_and_is_no_service_is_told(cluster):
    found = replace(find(cluster, HERE), forwards={"store:9000": 0})

    with pytest.raises(DeploymentError, match=r"'store:9000' is no NAMESPACE/SERVICE:PORT"):
        reached(found).__enter__()


def test_of_two_flyteadmins_one_has_to_be_named(cluster, kube):
    kube.put("/api/v1/services", service("flyte-binary-grpc", "flyte-binary"))

    both = r"has 2: flyte/flyteadmin:81, flyte/flyte-binary-grpc:81 service"
    with pytest.raises(DeploymentError, match=both):
        find(cluster, HERE)
    named = find(cluster, replace(HERE, endpoint="flyte/flyteadmin:81"))
    assert named.admin_service == "flyte/flyteadmin:81"


def test_without_any_it_has_to_be_told_where(cluster, kube, admin):
    kube.delete("/api/v1/services", "flyteadmin")

    with pytest.raises(DeploymentError, match=r"has none .*--flyteperf-endpoint HOST:PORT"):
        find(cluster, HERE)
    told = find(cluster, replace(HERE, endpoint=admin.endpoint))
    assert (told.admin_service, told.admin_endpoint) == (None, admin.endpoint)


def test_flytekits_configuration_says_where(cluster, admin, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"admin": {"endpoint": admin.endpoint, "insecure": True}}))

    found = find(cluster, replace(HERE, flyte_config=str(config)))
    assert (found.admin_endpoint, found.flyte_config) == (admin.endpoint, str(config))


def test_every_shard_of_propeller_is_read_and_added_up(cluster, kube):
    for name, rounds in (("flytepropeller-0", 3), ("flytepropeller-1", 4)):
        kube.put("/api/v1/pods", pod(name, "flytepropeller"))
        kube.pages[METRICS.format(name)] = b"flyte:propeller:all:wf_updated %d" % rounds
    kube.put("/api/v1/pods", pod("flytepropeller-old", "flytepropeller", phase="Failed"))

    found = find(cluster, HERE)
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api, Scraper(found, api) as scraper:
        page = scraper.read().texts["propeller"]
    assert page.splitlines() == [
        b"flyte:propeller:all:wf_updated 3",
        b"flyte:propeller:all:wf_updated 4",
    ]


def test_metrics_of_only_some_shards_are_none(cluster, kube):
    for name in ("flytepropeller-0", "flytepropeller-1"):
        kube.put("/api/v1/pods", pod(name, "flytepropeller"))
    kube.pages[METRICS.format("flytepropeller-0")] = b"flyte:propeller:all:wf_updated 3"
    kube.refused.add(METRICS.format("flytepropeller-1"))

    assert find(cluster, HERE).metrics == {}
