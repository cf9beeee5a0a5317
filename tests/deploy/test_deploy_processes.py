"""Flyte on a running cluster: one at a time, found again, swapped, and gone when it fails."""

import json
import signal
import stat
from pathlib import Path

import pytest
import yaml

from pytest_flyteperf.deploy import composition, processes
from pytest_flyteperf.deploy.fingerprint import engine_digest
from pytest_flyteperf.deploy.request import plan, prepare
from pytest_flyteperf.engine.build import Engine, ensure_engine
from pytest_flyteperf.engine.control import StartError, SupervisorStatus
from pytest_flyteperf.engine.process import ProcessDeath, ProcessState, ProcessStatus
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import AdminKind, Cluster, ObjectStore
from pytest_flyteperf.provision import local

TERMINATED = {"termination-status": "terminated"}
DSN = "postgres://me@127.0.0.1/flyte"


class ControlDouble:
    """A supervisor that starts nothing, and fails as told."""

    def __init__(self):
        self.pids = {}
        self.started = []
        self.failures = []
        self.next_pid = 100

    def start(self, specs, on_ready):
        specs = tuple(specs)
        self.started.append(specs)
        if self.failures:
            name, lines = self.failures.pop(0)
            spec = next(s for s in specs if s.name == name)
            Path(spec.log).write_text("\n".join(lines))
            death = ProcessDeath(name=name, exit=2, tail=tuple(lines), log=spec.log)
            raise StartError(death.describe(), death)
        for spec in specs:
            self.next_pid += 1
            self.pids[spec.name] = self.next_pid
            on_ready(spec.name)

    def stop(self, names):
        for name in names:
            del self.pids[name]

    def status(self):
        states = (
            ProcessStatus(name=name, state=ProcessState.READY, pid=pid)
            for name, pid in {"etcd": 7, **self.pids}.items()
        )
        return SupervisorStatus(cluster="c", pid=1, keep=False, processes=tuple(states))


@pytest.fixture
def control(monkeypatch):
    monkeypatch.setattr(processes, "await_definition", lambda *_: None)
    monkeypatch.setattr(processes, "_clear", lambda *_: None)
    return ControlDouble()


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "c" / "logs").mkdir(parents=True)
    return Cluster(
        kind="local",
        name="c",
        directory=str(tmp_path / "c"),
        kubeconfig="/kubeconfig",
        store=ObjectStore(
            endpoint="http://127.0.0.1:9",
            access_key="a",
            secret_key="s",  # noqa: S106 # of nothing
            bucket="my-s3-bucket",
        ),
        distribution="kube-apiserver v1.34.1",
        blob_store="versitygw v1.8.0",
        otlp_endpoint="http://127.0.0.1:8",
    )


def engine(**changes):
    values = {
        "etcd": "/e/etcd",
        "kube_apiserver": "/e/kube-apiserver",
        "s3_gateway": "/e/versitygw",
        "propeller": "/bin/true",
        "admin": "/bin/true",
        "full_flyte": None,
        "flyte": "v1.16.8",
        "tools_digest": "tools",
        "flyte_digest": "flyte",
        "digest": "all",
        "versions": {},
    }
    return Engine(**values | changes)


def full():
    return engine(propeller=None, admin=None, full_flyte="/f/flyte", flyte="/f/flyte")


class TestDeploying:
    def test_starts_the_stand_in_and_then_propeller(self, cluster, control):
        deployment = processes.deploy(cluster, control, plan(engine()))

        ((admin, propeller),) = control.started
        assert (admin.name, propeller.name) == ("admin", "propeller")
        assert propeller.after == ("admin",)
        assert propeller.order > admin.order
        assert deployment.admin_endpoint == admin.probe.target
        assert deployment.environment.admin_kind is AdminKind.STAND_IN
        assert deployment.environment.machine.engine_digest == engine_digest(engine())
        assert deployment.pids == {"etcd": 7, "admin": 101, "propeller": 102}
        assert set(deployment.metrics) == {"admin", "propeller"}

    def test_tells_exporters_to_lose_no_span(self, cluster, control, monkeypatch):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")

        deployment = processes.deploy(cluster, control, plan(engine()))

        for spec in control.started[0]:
            assert spec.env == {
                "OTEL_BSP_MAX_QUEUE_SIZE": "262144",
                "OTEL_BSP_SCHEDULE_DELAY": "200",
            }
            assert "OTEL_TRACES_SAMPLER" in spec.unset
        assert deployment.trace_delay_s == 0.2

    def test_shows_the_keys_of_the_store_to_nobody_else(self, cluster, control):
        processes.deploy(cluster, control, plan(engine()))

        for spec in control.started[0]:
            path = Path(spec.argv[-1])
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_leaves_its_logs_where_an_ended_cluster_keeps_them(self, cluster, control):
        deployment = processes.deploy(cluster, control, plan(engine()))

        logs = Path(cluster.directory, "logs")
        assert all(Path(path).is_relative_to(logs) for path in deployment.logs.values())

    def test_of_a_full_flyte_is_one_process_that_only_sigkill_ends(self, cluster, control):
        request = plan(full(), database=DSN)

        deployment = processes.deploy(cluster, control, request)

        ((flyte,),) = control.started
        assert flyte.argv[:3] == ("/f/flyte", "start", "--config")
        assert flyte.stop_signal == signal.SIGKILL
        assert deployment.environment.admin_kind is AdminKind.FLYTEADMIN
        assert deployment.environment.database == "PostgreSQL"
        assert set(deployment.metrics) == {"flyte"}

    def test_gives_what_is_configured_to_the_program(self, cluster, control, tmp_path):
        mine = tmp_path / "mine.yaml"
        mine.write_text("flyteadmin: {maxParallelism: 3}\npropeller: {workers: 2}\n")

        deployment = processes.deploy(cluster, control, plan(engine(), config=mine))

        admin, propeller = (
            yaml.safe_load(Path(spec.argv[-1]).read_text()) for spec in control.started[0]
        )
        assert admin["flyteadmin"] == {"maxParallelism": 3}
        assert propeller["propeller"]["workers"] == 2
        assert deployment.subject.config == mine.read_text()
        assert deployment.subject.config_digest is not None


class TestASecondTime:
    def test_finds_the_one_that_runs(self, cluster, control):
        request = plan(engine())

        first = processes.deploy(cluster, control, request)

        assert processes.deploy(cluster, control, request) == first
        assert processes.running(cluster, control) == first
        assert len(control.started) == 1

    def test_starts_anew_when_asked_for_a_fresh_one(self, cluster, control):
        request = plan(engine())

        first = processes.deploy(cluster, control, request)
        second = processes.deploy(cluster, control, request, fresh=True)

        assert second.pids != first.pids

    @pytest.mark.parametrize(
        "other", [engine(flyte_digest="other"), engine(flyte="v1.17.0", flyte_digest="x")]
    )
    def test_another_flyte_takes_its_place(self, cluster, control, other):
        processes.deploy(cluster, control, plan(engine()))
        second = processes.deploy(cluster, control, plan(other))

        assert control.pids == {"admin": 103, "propeller": 104}
        assert second.subject.digest == other.flyte_digest

    def test_another_configuration_takes_its_place(self, cluster, control, tmp_path):
        (tmp_path / "mine.yaml").write_text("propeller: {workers: 2}\n")
        processes.deploy(cluster, control, plan(engine()))
        request = plan(engine(), config=tmp_path / "mine.yaml")

        assert processes.find(cluster, control, request) is None
        processes.deploy(cluster, control, request)
        assert len(control.started) == 2

    def test_does_not_take_a_dead_one_for_alive(self, cluster, control):
        request = plan(engine())
        processes.deploy(cluster, control, request)
        control.pids["propeller"] = 999

        assert processes.running(cluster, control) is None

    def test_there_is_none_after_undeploying(self, cluster, control):
        processes.deploy(cluster, control, plan(engine()))
        processes.undeploy(cluster, control)
        processes.undeploy(cluster, control)

        assert control.pids == {}
        assert processes.running(cluster, control) is None


class TestFailing:
    def test_says_the_last_complaint_and_leaves_nothing(self, cluster, control):
        complaint = json.dumps({"level": "panic", "msg": "migration\nfailed"})
        control.failures = [("propeller", [complaint, "panic: (*logrus.Entry) 0x1", "goroutine"])]

        with pytest.raises(DeploymentError, match=r"^propeller: migration failed; its log: /"):
            processes.deploy(cluster, control, plan(engine()))

        assert control.pids == {}
        assert processes.running(cluster, control) is None

    def test_because_a_port_was_taken_is_tried_again_with_others(self, cluster, control):
        line = "listen tcp 127.0.0.1:5: bind: address already in use"
        control.failures = [("admin", [line]), ("admin", [line])]
        told = []

        deployment = processes.deploy(cluster, control, plan(engine()), told.append)

        assert told.count("a port was taken meanwhile: starting Flyte again") == 2
        assert len({specs[0].probe.target for specs in control.started}) == 3
        assert deployment.pids["admin"] == 101

    def test_for_good_is_not_tried_for_ever(self, cluster, control):
        control.failures = [("admin", ["address already in use"])] * 5

        with pytest.raises(DeploymentError, match="address already in use"):
            processes.deploy(cluster, control, plan(engine()))
        assert len(control.started) == 3

    def test_when_interrupted_leaves_nothing(self, cluster, control, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(processes, "await_definition", interrupted)

        with pytest.raises(KeyboardInterrupt):
            processes.deploy(cluster, control, plan(engine()))
        assert control.pids == {}


class TestPlanning:
    def test_a_full_flyte_needs_postgres(self):
        with pytest.raises(UsageError, match="FlyteAdmin needs PostgreSQL"):
            plan(full())

    def test_the_stand_in_takes_no_database(self):
        with pytest.raises(UsageError, match="only a full `flyte` program"):
            plan(engine(), database=DSN)

    def test_a_wrong_configuration_is_said_before_anything_is_built(self, tmp_path, monkeypatch):
        (tmp_path / "mine.yaml").write_text("flyteadmin: {nonsense: 1}\n")
        monkeypatch.setattr(
            "pytest_flyteperf.deploy.request.ensure_engine", lambda *_: pytest.fail("was built")
        )

        with pytest.raises(UsageError, match=r"mine\.yaml:1: flyteadmin\.nonsense"):
            prepare(None, config=tmp_path / "mine.yaml")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A local cluster, held."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYTEPERF_STATE", str(tmp_path_factory.mktemp("state")))
        cluster = local.up(ensure_engine(), folder)
        with local.hold(cluster, "test") as control:
            yield cluster, control
        local.down(cluster)


@pytest.mark.engine
class TestRealFlyte:
    def test_comes_up_is_found_is_swapped_and_goes(self, real, tmp_path):
        cluster, control = real
        (tmp_path / "mine.yaml").write_text("propeller: {workers: 3}\n")
        plain = plan(ensure_engine())
        tuned = plan(ensure_engine(), config=tmp_path / "mine.yaml")

        first = processes.deploy(cluster, control, plain)
        assert processes.deploy(cluster, control, plain) == first
        second = processes.deploy(cluster, control, tuned)
        processes.undeploy(cluster, control)

        assert first.pids["propeller"] != second.pids["propeller"]
        names = {p.name for p in control.status().processes if p.state is ProcessState.READY}
        assert names.isdisjoint(composition.NAMES)

    def test_does_not_take_up_what_an_earlier_one_left_unfinished(self, real):
        cluster, control = real
        request = plan(ensure_engine())
        processes.deploy(cluster, control, request)
        processes.undeploy(cluster, control)
        namespaces = "namespaces/flytesnacks-development"
        workflow = {
            "apiVersion": "flyte.lyft.com/v1alpha1",
            "kind": "FlyteWorkflow",
            "metadata": {"name": "left", "finalizers": ["flyte.org/finalizer"]},
        }
        pod = {
            "metadata": {"name": "left-n0-0", "labels": {"execution-id": "left"}},
            "spec": {"nodeName": "nowhere", "containers": [{"name": "a", "image": "b"}]},
        }
        told = []
        with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
            workflows = f"/apis/flyte.lyft.com/v1alpha1/{namespaces}/flyteworkflows"
            pods = f"/api/v1/{namespaces}/pods"
            api.request("POST", workflows, body=workflow)
            done = workflow | {"metadata": {"name": "done", "labels": TERMINATED}}
            api.request("POST", workflows, body=done)
            api.request("POST", pods, body=pod)

            processes.deploy(cluster, control, request, told.append)

            names = [item["metadata"]["name"] for item in api.list(workflows)["items"]]
            left = api.list(pods)["items"]
        processes.undeploy(cluster, control)
        assert names == ["done"]
        assert all("deletionTimestamp" in item["metadata"] for item in left)
        assert "removed 1 unfinished workflows of an earlier Flyte" in told

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("propeller: {wrokers: 3}\n", "wrokers"),
            ("propeller: {workers: many}\n", "'workers' cannot parse"),
            ("plugins: {nonsense: {a: 1}}\n", "nonsense"),
        ],
    )
    def test_a_key_or_value_that_propeller_does_not_take_is_refused(self, tmp_path, text, said):
        (tmp_path / "mine.yaml").write_text(text)

        with pytest.raises(UsageError, match=rf"does not take it: .*{said}"):
            plan(ensure_engine(), config=tmp_path / "mine.yaml")
