"""`flyteperf down --all` where one cluster cannot be ended."""

import msgspec

from pytest_flyteperf.cli import main
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Cluster, ObjectStore
from pytest_flyteperf.provision import local

STORE = ObjectStore(endpoint="", access_key="", secret_key="", bucket="")
KIND = Cluster(
    kind="kind",
    name="a-kind-cluster",
    directory="",
    kubeconfig="",
    store=STORE,
    distribution="kind",
    blob_store="versitygw",
)
ON_IT = msgspec.structs.replace(KIND, kind="provisioned", name="flyte-on-it")


def test_what_is_on_a_cluster_ends_first_and_the_rest_ends_all_the_same(monkeypatch, capsys):
    ended = []

    def down(cluster):
        ended.append(cluster.name)
        if cluster is ON_IT:
            raise ClusterError("flyte-on-it: not removed")

    monkeypatch.setattr(local, "running", lambda: (KIND, ON_IT))
    monkeypatch.setattr(local, "down", down)

    assert main(["down", "--all"]) == ClusterError.exit_code
    assert ended == ["flyte-on-it", "a-kind-cluster"]
    assert "flyte-on-it: not removed" in capsys.readouterr().err
