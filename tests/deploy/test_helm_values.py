from __future__ import annotations

import pytest

from pytest_flyteperf.deploy.values import image_of, inline_values, values
from pytest_flyteperf.deploy.yamlfile import Document
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Cluster, ObjectStore

CLUSTER = Cluster(
    kind="kind",
    name="flyteperf-1",
    directory="/nowhere",
    kubeconfig="/nowhere/kubeconfig",
    store=ObjectStore(
        endpoint="http://127.0.0.1:1",
        access_key="key",
        secret_key="secret",  # noqa: S106 - of an example
        bucket="my-s3-bucket",
        inside="http://store.flyte:9000",
    ),
    distribution="kind",
    blob_store="versitygw",
    otlp_endpoint="http://172.18.0.1:4317",
)


def document(content):
    return Document(path="tuned.yaml", text="", content=content, lines={})


def ours(start="0f517fa1"):
    return values(
        CLUSTER,
        image=("flyte", "mine"),
        start=start,
        database_image="registry:5000/postgres:15",
        database_password="pw",  # noqa: S106
        traces_token="t/k=n",  # noqa: S106
        ports=(30081, 30080),
    )


def test_pods_find_the_store_by_its_address_inside():
    inline = ours()["configuration"]["inline"]
    assert {"FLYTE_AWS_ENDPOINT": "http://store.flyte:9000"} in inline["plugins"]["k8s"][
        "default-env-vars"
    ]
    s3 = ours()["configuration"]["storage"]["providerConfig"]["s3"]
    assert s3["endpoint"] == "http://store.flyte:9000"


def test_traces_bear_the_clusters_token():
    variables = {v["name"]: v["value"] for v in ours()["deployment"]["extraEnvVars"]}
    assert variables["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=Bearer%20t%2Fk%3Dn"


def test_another_start_is_another_pod():
    before, after = (ours(start)["deployment"]["extraEnvVars"] for start in ("old", "new"))

    assert [(b, a) for b, a in zip(before, after, strict=True) if b != a] == [
        (
            {"name": "FLYTEPERF_START", "value": "old"},
            {"name": "FLYTEPERF_START", "value": "new"},
        )
    ]


def test_an_image_keeps_its_registrys_port():
    assert ours()["deployment"]["waitForDB"]["image"] == {
        "repository": "registry:5000/postgres",
        "tag": "15",
    }


def test_the_users_task_variables_join_ours():
    theirs = {"plugins": {"K8S": 1, "k8s": {"default-env-vars": [{"MINE": "1"}], "x": 2}}}
    inline = inline_values(CLUSTER, document(theirs))["configuration"]["inline"]
    assert inline["plugins"]["k8s"]["x"] == 2
    assert inline["plugins"]["k8s"]["default-env-vars"][-1] == {"MINE": "1"}
    assert len(inline["plugins"]["k8s"]["default-env-vars"]) == 4


@pytest.mark.parametrize("flyte", ["../flyte", "image:flyte", "image::x", "image:host:5000/flyte"])
def test_what_names_no_image_is_refused(flyte):
    with pytest.raises(UsageError, match="--flyteperf-flyte"):
        image_of(flyte)
