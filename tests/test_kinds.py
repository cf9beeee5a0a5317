from __future__ import annotations

import msgspec
import pytest

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.kinds import choose, read_stage
from pytest_flyteperf.model import (
    AdminKind,
    Cluster,
    Deployment,
    Environment,
    Machine,
    ObjectStore,
    Subject,
)
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve

STORE = ObjectStore(endpoint="", access_key="", secret_key="", bucket="")
CLUSTER = Cluster(
    kind="existing",
    name="mine",
    directory="/nowhere",
    kubeconfig="/nowhere/kubeconfig",
    store=STORE,
    distribution="Kubernetes v1.33",
    blob_store="unknown",
)
MACHINE = Machine(engine_digest=None, cpu_model="x", cpu_count=2, memory_class="4GiB", kernel="6.1")
DEPLOYMENT = Deployment(
    cluster=CLUSTER,
    subject=Subject(flyte="v1.16.8", digest="d"),
    environment=Environment(
        cluster_kind="existing",
        admin_kind=AdminKind.FLYTEADMIN,
        distribution="Kubernetes v1.33",
        blob_store="unknown",
        database="unknown",
        chart=None,
        machine=MACHINE,
    ),
    admin_endpoint="127.0.0.1:8089",
)


def kind(tmp_path, **flags):
    return choose(resolve(flags, {}, lambda _: None, tmp_path), silent)


def test_a_deployment_in_a_file_replaces_the_stages_before_it(tmp_path):
    (tmp_path / "deployment.json").write_bytes(msgspec.json.encode(DEPLOYMENT))

    given = kind(tmp_path, deployment="deployment.json")
    assert given.up() == CLUSTER
    assert given.deploy(CLUSTER, None) == DEPLOYMENT
    assert given.find() is None


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file or directory"), ("{}", "is no deployment"), ("{", "is no deployment")],
)
def test_what_hands_over_no_deployment_is_refused(tmp_path, content, says):
    if content is not None:
        (tmp_path / "deployment.json").write_text(content)

    with pytest.raises(UsageError, match=says):
        kind(tmp_path, deployment="deployment.json")


def test_a_cluster_is_no_deployment(tmp_path):
    (tmp_path / "cluster.json").write_bytes(msgspec.json.encode(CLUSTER))

    assert read_stage(tmp_path / "cluster.json", Cluster) == CLUSTER
    with pytest.raises(UsageError, match="is no deployment"):
        read_stage(tmp_path / "cluster.json", Deployment)


@pytest.mark.parametrize(
    ("kubeconfig", "context", "says"),
    [
        ("absent", None, "No such file or directory"),
        ("a: [", None, "is not YAML"),
        ("a: 1", None, "is no kubeconfig"),
        ("contexts: [{name: a}, {name: b}]", "c", "has a, b"),
        ("contexts: []\ncurrent-context: x", None, "has none"),
    ],
)
def test_what_names_no_existing_cluster_is_refused(tmp_path, kubeconfig, context, says):
    if kubeconfig != "absent":
        (tmp_path / "config").write_text(kubeconfig)
    flags = {"cluster": "existing", "kubeconfig": "config", "endpoint": "127.0.0.1:1"}

    with pytest.raises(UsageError, match=says):
        kind(tmp_path, **flags, context=context).up()
