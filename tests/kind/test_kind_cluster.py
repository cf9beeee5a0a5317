"""The product's own path on one real kind cluster that stays up: measure, gate, change Flyte."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime

import pytest
import yaml
from kind_project import REPOSITORY

from pytest_flyteperf.deploy import manifests
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.provision.lease import LeaseLock

pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(600, func_only=True),
    # The docker package leaves sockets that could not connect while the daemon starts.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket"),
]

SHORT = ("--flyteperf-cluster", "kind", "--flyteperf-short")
CASES = (
    "benchmarks/test_short_task.py",
    "benchmarks/test_chain.py::test_echo_chain",
    "benchmarks/test_map.py::test_limited_map",
)
ECHO = CASES[1]
OWNERS = ("flyte", "kubernetes", "user", "external", "held", "backoff", "unknown")


def test_the_portfolio_gates_against_its_own_baseline_on_a_cluster_that_is_kept(kept):
    nodes = kept.nodes()
    kept.measured(*CASES, *SHORT, "--flyteperf-keep", "--flyteperf-update", "new")
    (baselines,) = (kept.folder / "baselines").iterdir()
    assert baselines.name.startswith("kind-stand-in-")
    stored = yaml.safe_load((baselines / "short_task.yaml").read_text())["sizes"]["short"]
    assert stored["environment"]["chart"] == "flyte-binary 0.0.1"

    gated = kept.measured(*CASES, *SHORT, "--flyteperf-keep", "--flyteperf-baseline")
    assert "incomparable" not in gated
    assert "no-baseline" not in gated
    assert kept.nodes() == nodes


def test_kubernetes_owns_what_a_real_pod_takes_to_start(kept):
    repeat = kept.repeat("short_task")
    measures = kept.measures(repeat)
    started, finished = _stamps(repeat / "pods.jsonl.gz")
    ran_ns = (finished - started).total_seconds() * 10**9

    assert measures["pods"] == 1
    assert measures["kubernetes_ns"] > 0
    assert abs(measures["user_ns"] - ran_ns) < 10**9  # the kubelet stamps whole seconds
    assert sum(measures[f"{owner}_ns"] for owner in OWNERS) == measures["duration_ns"]


def _stamps(pods):
    """When the container of a recording's only pod started and finished, by the kubelet."""
    ends = {}
    for line in gzip.decompress(pods.read_bytes()).splitlines():
        status = json.loads(line)["event"]["object"]["status"]
        for container in status.get("containerStatuses", ()):
            ends |= container["state"].get("terminated", {})
    return tuple(datetime.fromisoformat(ends[key]) for key in ("startedAt", "finishedAt"))


def test_the_cluster_as_an_existing_one_is_measured_and_gated_under_its_lease(kept):
    deployed = kept.deployed()
    kubeconfig = deployed["cluster"]["kubeconfig"]
    # Without an endpoint: FlyteAdmin is found by its service, and its port forwarded.
    existing = (
        *(CASES[0], ECHO, "--flyteperf-short", "--flyteperf-cluster", "existing"),
        *("--flyteperf-kubeconfig", kubeconfig, "--flyteperf-baseline-dir", "existing"),
    )
    with LeaseLock(kubeconfig, deployed["namespace"], "somebody else"):
        refused = kept.pytest(*existing, "--flyteperf-wait", "1")
    assert refused.returncode == pytest.ExitCode.TESTS_FAILED, refused.stdout
    assert "somebody else (" in refused.stdout

    first = kept.measured(*existing, "--flyteperf-update", "new")
    assert "flyte/flyte-grpc:8089" in first
    assert (kept.repeat("short_task") / "metrics.after.prom.gz").exists()
    gated = kept.measured(*existing, "--flyteperf-baseline")
    assert "incomparable" not in gated
    assert "no-baseline" not in gated


def test_no_second_flyte_is_put_onto_a_cluster(kept):
    kubeconfig = kept.deployed()["cluster"]["kubeconfig"]
    before = kept.of_flyte(kubeconfig)

    refused = kept.pytest(
        *(CASES[0], "--flyteperf-short", "--flyteperf-cluster", "existing"),
        *("--flyteperf-kubeconfig", kubeconfig, "--flyteperf-install"),
    )

    assert "so a Flyte; measure it without --flyteperf-install" in refused.stdout
    assert kept.of_flyte(kubeconfig) == before


def test_the_manifests_of_the_documents_are_what_an_api_server_takes(kept):
    text = (REPOSITORY / "docs/clusters.md").read_text()
    found = re.search(r"```yaml\n# jaeger.yaml.*?\n(.*?)```", text, re.DOTALL)
    with KubeApi.from_kubeconfig(kept.deployed()["cluster"]["kubeconfig"]) as api:
        manifests.apply(api, tuple(yaml.safe_load_all(found[1])), dry_run=True)
        manifests.apply(api, manifests.jaeger("jaegertracing/all-in-one:1.60"), dry_run=True)


def test_an_image_built_of_a_checkout_replaces_the_flyte_that_runs(kept):
    before = kept.deployed()["subject"]["digest"]
    checkout = kept.folder / "flyte"
    checkout.mkdir()
    release = kept.environment["FLYTEPERF_FLYTE"].removeprefix("image:")
    (checkout / "Dockerfile").write_text(f"FROM {release}\nCOPY mark /mark\n")
    (checkout / "mark").write_text("edited")

    kept.measured(ECHO, *SHORT, "--flyteperf-keep", "--flyteperf-flyte", "flyte")

    assert kept.deployed()["subject"]["digest"] != before
    (pod,) = kept.pods("flyte", "app=flyte")
    (image,) = {container["image"] for container in pod["spec"]["containers"]}
    assert image.startswith("pytest-flyteperf/flyte:")


def test_a_teardown_that_is_killed_is_finished_by_reap(kept):
    with kept.flyteperf_until("stopping", "down", "--cluster", "kind"):
        kept.await_deletion()
        kept.kill_supervisor()
    assert kept.left() != []

    reaped = kept.reap()
    assert kept.nodes() == [], reaped
