"""Recordings of executions that ended long ago, and how they are named."""

import gzip
import json
import socket
from pathlib import Path

import grpc
import pytest
from flyteidl.admin import execution_pb2
from flyteidl.core import metrics_pb2

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.collect import Reference, Sources, parse_reference, record
from pytest_flyteperf.errors import DeploymentError, RecordingError, UsageError
from pytest_flyteperf.progress import silent
from tests.doubles.admin import FakeAdmin
from tests.doubles.jaeger import FakeJaeger
from tests.doubles.kube import FakeKube

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"


@pytest.fixture
def admin():
    with FakeAdmin() as admin:
        yield admin


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch, tmp_path):
    """Nobody's flytekit configuration is read."""
    monkeypatch.setenv("FLYTECTL_CONFIG", str(tmp_path / "none.yaml"))


def take(admin, name, folder, **sources):
    reference = Reference(project="flytesnacks", domain="development", name=name)
    where = {"endpoint": admin.endpoint, "insecure": True, **sources}
    record(reference, Sources(**where), folder, silent)
    return json.loads((folder / "recording.json").read_text())


class TestReference:
    def test_is_read_from_the_consoles_url(self):
        found = parse_reference("https://h:8443/console/projects/p/domains/d/executions/e1?x=1#y")

        expected = Reference(project="p", domain="d", name="e1", endpoint="h:8443", insecure=False)
        assert found == expected

    def test_of_a_url_without_tls_is_without_tls(self):
        assert parse_reference("http://h/console/projects/p/domains/d/executions/e").insecure

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("p/d/e", ("p", "d", "e")),
            ("e", ("flytesnacks", "development", "e")),
        ],
    )
    def test_is_read_from_names(self, text, named):
        found = parse_reference(text)

        assert (found.project, found.domain, found.name) == named
        assert found.endpoint is None

    def test_of_a_name_alone_takes_project_and_domain(self):
        found = parse_reference("e", "mine", "production")

        assert (found.project, found.domain) == ("mine", "production")

    @pytest.mark.parametrize(
        "text", ["", "a/b", "a/b/c/d", "a b", "p/d/../..", "https://h/console", "https:///e"]
    )
    def test_of_anything_else_is_one_line(self, text):
        with pytest.raises(UsageError) as caught:
            parse_reference(text)

        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{text}: ")


def owners(measures, node):
    (found,) = [one for one in measures.ownership.nodes if one.id == node]
    return found.owners


class TestRecord:
    @pytest.mark.parametrize("case", ["chain/0", "launchplan2/0", "dynamic3/0"])
    def test_has_what_flyteadmin_tells(self, admin, tmp_path, case):
        name = admin.load(RECORDINGS / case)
        take(admin, name, tmp_path / "r")
        told, known = analyze_recording(tmp_path / "r"), analyze_recording(RECORDINGS / case)

        assert told.metrics["duration_ns"] == known.metrics["duration_ns"]
        assert told.metrics["attempts"] == known.metrics["attempts"]
        assert [n.id for n in told.ownership.nodes] == [n.id for n in known.ownership.nodes]

    def test_leaves_unknown_what_nobody_tells(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        about = take(admin, name, tmp_path / "r")
        metrics = analyze_recording(tmp_path / "r").metrics

        assert sorted(about["absent"]) == [
            "execution_metrics.json",
            "flyteworkflows.jsonl",
            "pods.jsonl",
            "traces",
        ]
        assert "UNIMPLEMENTED" in about["absent"]["execution_metrics.json"]
        assert [metrics[key] for key in ("handle_ns", "pods", "crd_writes")] == [None] * 3

    def test_keeps_flytes_own_account(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        admin.metrics = execution_pb2.WorkflowExecutionGetMetricsResponse(
            span=metrics_pb2.Span(operation_id="WORKFLOW_SETUP")
        )
        about = take(admin, name, tmp_path / "r")

        kept = json.loads(gzip.decompress((tmp_path / "r/execution_metrics.json.gz").read_bytes()))
        assert kept == {"span": {"operation_id": "WORKFLOW_SETUP"}}
        assert "execution_metrics.json" not in about["absent"]

    def test_reads_pods_that_are_left(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        with FakeKube() as kube, gzip.open(RECORDINGS / "chain/0/pods.jsonl.gz") as lines:
            for event in (json.loads(line)["event"] for line in lines):
                if event["type"] != "BOOKMARK":
                    path = "/api/v1/namespaces/flytesnacks-development/pods"
                    kube.put(path, event["object"])
            about = take(admin, name, tmp_path / "r", kubeconfig=str(kube.kubeconfig(tmp_path)))
        told, known = analyze_recording(tmp_path / "r"), analyze_recording(RECORDINGS / "chain/0")

        assert told.metrics["pods"] == known.metrics["pods"]
        assert told.state is None
        for node in [node.id for node in known.ownership.nodes if node.kind == "task"]:
            (seen,) = [o for o in owners(known, node) if o.owner == "user"]
            (found,) = [o for o in owners(told, node) if o.owner == "user"]
            assert found.low_ns <= seen.point_ns <= found.high_ns
            assert not {"reporting", "batching tick"} & {o.detail for o in owners(told, node)}
        assert about["absent"]["flyteworkflows.jsonl"] == f"Kubernetes has none of {name} any more"

    def test_of_a_running_execution_is_refused(self, admin, tmp_path):
        admin.put("e", "RUNNING")
        with pytest.raises(UsageError, match=r"/e is RUNNING; record it after its end$"):
            take(admin, "e", tmp_path / "r")

        assert not (tmp_path / "r").exists()

    def test_of_an_unknown_execution_is_refused(self, admin, tmp_path):
        with pytest.raises(DeploymentError, match="no such execution; check project, domain"):
            take(admin, "e", tmp_path / "r")

    def test_of_an_execution_that_is_not_ours_to_see_is_refused(self, admin, tmp_path):
        admin.refuse["GetExecution"] = (grpc.StatusCode.PERMISSION_DENIED, "not yours")
        with pytest.raises(DeploymentError, match=r"not allowed \(not yours\); log in"):
            take(admin, "e", tmp_path / "r")

    def test_without_credentials_is_refused_in_one_line(self, admin, tmp_path):
        admin.refuse["GetExecution"] = (grpc.StatusCode.UNAUTHENTICATED, "who are you")
        with pytest.raises(DeploymentError) as caught:
            take(admin, "e", tmp_path / "r")

        assert "log in" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_from_an_endpoint_that_does_not_answer_is_refused(self, tmp_path):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            sources = Sources(endpoint=f"127.0.0.1:{held.getsockname()[1]}", insecure=True)
            reference = Reference(project="p", domain="d", name="e")
            with pytest.raises(DeploymentError, match="FlyteAdmin does not answer"):
                record(reference, sources, tmp_path / "r", silent)

    def test_does_not_replace_one_that_is_there(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        (tmp_path / "r").mkdir()
        (tmp_path / "r/kept").touch()
        with pytest.raises(RecordingError, match="name another folder"):
            take(admin, name, tmp_path / "r")


class TestTraces:
    def test_come_from_a_jaeger(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        with FakeJaeger(name) as jaeger:
            about = take(admin, name, tmp_path / "r", traces=jaeger.url + "/")
        measures = analyze_recording(tmp_path / "r")

        (asked,) = jaeger.asked
        assert json.loads(asked["tags"]) == {"exec_id": name}
        assert int(asked["start"]) < int(asked["end"])
        assert measures.trace_source == "jaeger.json"
        assert measures.metrics["handle_ns"] == 5_000_000
        assert "traces" not in about["absent"]

    def test_are_asked_for_by_each_execution_and_kept_once(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "launchplan2/0")
        with FakeJaeger(name) as jaeger:
            take(admin, name, tmp_path / "r", traces=jaeger.url)

        children = [path.name for path in (tmp_path / "r/children").iterdir()]
        asked = [json.loads(question["tags"])["exec_id"] for question in jaeger.asked]
        assert sorted(asked) == sorted([name, *children])
        kept = json.loads(gzip.decompress((tmp_path / "r/jaeger.json.gz").read_bytes()))
        assert len(kept["data"]) == 1

    @pytest.mark.parametrize("packed", [False, True])
    def test_come_from_a_file(self, admin, tmp_path, packed):
        name = admin.load(RECORDINGS / "chain/0")
        text = b'{"resourceSpans":[]}\n'
        (tmp_path / "t").write_bytes(gzip.compress(text) if packed else text)
        take(admin, name, tmp_path / "r", traces=str(tmp_path / "t"))

        assert gzip.decompress((tmp_path / "r/otlp.jsonl.gz").read_bytes()) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [(b"nonsense", "neither lines of OTLP JSON nor"), (b"\x1f\x8bx", "give a file of traces")],
    )
    def test_in_a_file_that_is_none_are_refused(self, admin, tmp_path, text, reason):
        name = admin.load(RECORDINGS / "chain/0")
        (tmp_path / "t").write_bytes(text)
        with pytest.raises(UsageError, match=reason):
            take(admin, name, tmp_path / "r", traces=str(tmp_path / "t"))

    def test_of_a_jaeger_that_is_none_are_refused(self, admin, tmp_path):
        name = admin.load(RECORDINGS / "chain/0")
        with FakeJaeger(name) as jaeger, pytest.raises(DeploymentError, match="is it a Jaeger"):
            take(admin, name, tmp_path / "r", traces=jaeger.url + "/elsewhere")
