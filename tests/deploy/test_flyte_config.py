"""Flyte's configuration: where things are, timings untouched, the user's file over it."""

import re

import pytest

from pytest_flyteperf.deploy.config import (
    Wiring,
    check_database,
    check_overrides,
    full_config,
    merge,
    propeller_config,
    standin_config,
)
from pytest_flyteperf.deploy.yamlfile import read_yaml
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import ObjectStore

STORE = ObjectStore(
    endpoint="http://127.0.0.1:9000",
    access_key="minio",
    secret_key="miniostorage",  # noqa: S106 # as in Flyte's sandbox
    bucket="my-s3-bucket",
)
WIRING = Wiring(
    kubeconfig="/c/kubeconfig",
    store=STORE,
    otlp_endpoint="http://127.0.0.1:4317",
    directory="/c/flyte",
    admin_port=1,
    metrics_port=2,
    extra_port=3,
    catalog_ports=(4, 5),
)
DSN = "postgres://me:p%40ss@db.example:5433/flyte?sslmode=disable"


@pytest.fixture
def overrides(tmp_path):
    def document(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return read_yaml(path)

    return document


class TestOurs:
    def test_leaves_every_timing_to_flyte(self):
        config = propeller_config(WIRING, None)

        assert set(config["propeller"]) == {
            "create-flyteworkflow-crd",
            "kube-config",
            "prof-port",
            "metadata-prefix",
            "rawoutput-prefix",
        }
        assert config["event"] == {"type": "admin"}
        assert set(config["admin"]) == {"endpoint", "insecure"}

    def test_has_pods_find_the_object_store(self):
        variables = propeller_config(WIRING, None)["plugins"]["k8s"]["default-env-vars"]

        assert variables == [
            {"FLYTE_AWS_ENDPOINT": "http://127.0.0.1:9000"},
            {"FLYTE_AWS_ACCESS_KEY_ID": "minio"},
            {"FLYTE_AWS_SECRET_ACCESS_KEY": "miniostorage"},
        ]

    def test_has_the_stand_in_answer_for_admin_and_catalog(self):
        propeller, standin = propeller_config(WIRING, None), standin_config(WIRING, None)

        assert standin["standin"]["listen"] == "127.0.0.1:1"
        assert propeller["admin"]["endpoint"] == propeller["catalog-cache"]["endpoint"]
        assert propeller["admin"]["endpoint"] == "localhost:1"
        assert propeller["storage"] == standin["storage"]

    def test_gives_tasks_the_resources_of_the_recordings(self):
        assert standin_config(WIRING, None)["task_resources"] == {
            "defaults": {"cpu": "10m", "memory": "10Mi"},
            "limits": {"cpu": "4", "memory": "4Gi", "gpu": "1"},
        }

    def test_of_a_full_flyte_has_a_catalog_of_its_own_and_postgres(self):
        config = full_config(WIRING, DSN, None)

        assert config["catalog-cache"]["endpoint"] == "localhost:4"
        assert config["application"]["grpcPort"] == 4
        assert config["database"] == {
            "postgres": {
                "host": "db.example",
                "readReplicaHost": "db.example",
                "port": 5433,
                "dbname": "flyte",
                "username": "me",
                "password": "p@ss",
                "options": "sslmode=disable",
            }
        }


class TestTheirs:
    def test_reaches_the_program_that_honours_it(self, overrides):
        mine = overrides(
            "propeller: {max-streak-length: 1}\n"
            "flyteadmin: {maxParallelism: 3}\n"
            "storage: {stow: {config: {endpoint: http://127.0.0.1:7}}}\n"
        )
        check_overrides(mine, full=False)

        propeller, standin = propeller_config(WIRING, mine), standin_config(WIRING, mine)

        assert propeller["propeller"]["max-streak-length"] == 1
        assert propeller["propeller"]["create-flyteworkflow-crd"] is True
        assert "flyteadmin" not in propeller
        assert "propeller" not in standin
        assert standin["flyteadmin"] == {"maxParallelism": 3}
        for config in (propeller, standin):
            assert config["storage"]["stow"]["config"]["endpoint"] == "http://127.0.0.1:7"
            assert config["storage"]["stow"]["config"]["region"] == "us-east-1"

    def test_of_a_full_flyte_may_hold_any_section(self, overrides):
        mine = overrides("flyteadmin: {consoleUrl: x}\nremoteData: {scheme: none}\n")
        check_overrides(mine, full=True)

        assert full_config(WIRING, DSN, mine)["remoteData"] == {"scheme": "none"}

    def test_adds_to_the_environment_of_tasks(self, overrides):
        mine = overrides("plugins: {k8s: {default-env-vars: [{LOG_LEVEL: debug}]}}\n")

        variables = propeller_config(WIRING, mine)["plugins"]["k8s"]["default-env-vars"]

        assert variables[-1] == {"LOG_LEVEL": "debug"}
        assert len(variables) == 4

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "propeller:\n  workers: 1\nserver: {readHeaderTimeoutSeconds: 3}\n",
                ":3: section server is honoured neither",
            ),
            ("webhook: {listenPort: 1}\n", ":1: section webhook is honoured neither"),
            (
                "flyteadmin:\n  maxParallelism: 3\n  roleNameKey: x\n",
                ":3: flyteadmin.roleNameKey is not honoured by the stand-in for FlyteAdmin",
            ),
            ("standin: {listen: x}\n", ":1: standin.listen is not honoured"),
            ("propeller:\n", ":1: propeller holds no keys"),
            ("propeller: 3\n", ":1: propeller holds no keys"),
        ],
    )
    def test_is_refused_where_nothing_would_obey_it(self, overrides, text, said):
        with pytest.raises(UsageError, match=re.escape(said)):
            check_overrides(overrides(text), full=False)

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("admin: {Endpoint: localhost:1}\n", "admin.Endpoint"),
            ("otel: {type: noop}\n", "otel"),
            ("propeller: {prof-port: 1}\n", "propeller.prof-port"),
            ("event: {type: log}\n", "event.type"),
            ("server: {grpc: {port: 1}}\n", "server.grpc"),
            ("database: {sqlite: {file: x}}\n", "database"),
        ],
    )
    @pytest.mark.parametrize("full", [True, False])
    def test_is_refused_where_it_would_cut_a_wire(self, overrides, text, key, full):
        said = re.escape(f":1: {key} is set by the deployment")
        with pytest.raises(UsageError, match=said):
            check_overrides(overrides(text), full=full)

    def test_may_slow_the_admin_down(self, overrides):
        mine = overrides("standin: {eventDelay: 3ms}\n")
        check_overrides(mine, full=False)

        standin = standin_config(WIRING, mine)["standin"]
        assert (standin["eventDelay"], standin["listen"]) == ("3ms", "127.0.0.1:1")


class TestMerging:
    def test_is_by_key_for_mappings_and_as_a_whole_for_the_rest(self):
        ours = {"a": {"b": 1, "c": [1, 2]}, "d": 1}

        assert merge(ours, {"a": {"c": [3]}, "d": {"e": 2}}) == {
            "a": {"b": 1, "c": [3]},
            "d": {"e": 2},
        }
        assert ours == {"a": {"b": 1, "c": [1, 2]}, "d": 1}

    def test_knows_a_key_in_another_case(self):
        assert merge({"maxParallelism": 25}, {"maxparallelism": 3}) == {"maxParallelism": 3}


@pytest.mark.parametrize(
    "dsn",
    ["mysql://me@h/db", "postgres://h", "postgres:///db", "words", "postgres://me:secret@h:x/db"],
)
def test_a_database_that_is_no_postgres_is_refused_without_its_password(dsn):
    with pytest.raises(UsageError, match="--flyteperf-database: ") as error:
        check_database(dsn)
    assert "secret" not in str(error.value)
