"""The chart flyte-core, and what helm makes of values."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from test_helm_failures import prepare, program  # noqa: F401 # a fixture
from test_helm_values import CLUSTER, document, ours

from pytest_flyteperf.deploy.core import (
    COMPONENTS,
    check_sections,
    core_config,
    core_values,
    images_of,
)
from pytest_flyteperf.errors import UsageError

CHART = Path(__file__).parents[1] / "kind/chart"


@pytest.fixture
def core(program):  # noqa: F811 # the fixture
    """A helm that shows flyte-core."""
    program("printf 'name: flyte-core\\nversion: v0.1.10'")


@pytest.mark.usefixtures("core")
class TestRequest:
    def test_has_an_image_for_each_component(self):
        request = prepare("flyte-core@v1.16.8", images="flytepropeller=mine/propeller:2")

        assert request.is_core
        assert request.components["datacatalog"] == (
            "cr.flyte.org/flyteorg/datacatalog",
            "v1.16.8",
        )
        assert request.images[:3] == (
            "cr.flyte.org/flyteorg/flyteadmin:v1.16.8",
            "mine/propeller:2",
            "cr.flyte.org/flyteorg/datacatalog:v1.16.8",
        )

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({"flyte": "image:mine:2"}, "flyte-core runs several images; give a release"),
            ({"images": "flyte=a:1"}, "flyte is none of flyte-core v0.1.10's: flyteadmin"),
        ],
    )
    def test_of_what_has_no_place_is_refused(self, more, says):
        with pytest.raises(UsageError, match=says):
            prepare("flyte-core", **more)

    def test_configuration_without_a_place_is_refused_with_its_line(self, tmp_path):
        path = tmp_path / "tuned.yaml"
        path.write_text("propeller:\n  workers: 7\nstorage:\n  cache:\n    max_size_mbs: 5\n")

        with pytest.raises(UsageError, match=r"tuned\.yaml:3: flyte-core has no configmap for st"):
            prepare("flyte-core", config=path)


class TestValues:
    @pytest.fixture
    def values(self):
        return core_values(
            CLUSTER,
            images=images_of("v1.16.8"),
            start="digest",
            database_password="pw",  # noqa: S106 - of an example
            traces_token="t/k=n",  # noqa: S106
            ports=(30081, 30080),
        )

    def test_every_component_sends_traces_with_the_clusters_token(self, values):
        for component, key in zip(COMPONENTS, ("env", "podEnv", "podEnv"), strict=True):
            variables = {v["name"]: v["value"] for v in values[component][key]}
            assert variables["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=Bearer%20t%2Fk%3Dn"
        assert values["configmap"]["otel"]["otel"]["otlpgrpc"]["endpoint"] == CLUSTER.otlp_endpoint

    def test_the_stores_address_is_that_inside(self, values):
        assert values["storage"]["custom"]["stow"]["config"]["endpoint"] == CLUSTER.store.inside
        assert values["storage"]["custom"]["signedURL"] == {
            "stowConfigOverride": {"endpoint": CLUSTER.store.endpoint}
        }

    def test_a_users_section_goes_to_its_configmap(self):
        theirs = {
            "Propeller": {"workers": 7},
            "remotedata": {"scheme": "aws"},
            "plugins": {"k8s": {"default-env-vars": [{"MINE": "1"}]}},
        }
        found = core_config(CLUSTER, document(theirs))["configmap"]

        assert found["core"] == {"propeller": {"workers": 7}}
        assert found["remoteData"] == {"remoteData": {"scheme": "aws"}}
        variables = found["k8s"]["plugins"]["k8s"]["default-env-vars"]
        assert variables[-1] == {"MINE": "1"}
        assert len(variables) == 4

    def test_a_section_with_a_place_is_none_to_refuse(self):
        check_sections(document({"Propeller": {}, "otel": {}}))


def test_helm_renders_our_values_for_a_chart_of_ours(tmp_path):
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not on PATH")
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(ours()))

    done = subprocess.run(
        [helm, "template", "flyte", str(CHART), "--values", str(tmp_path / "ours.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rendered = [m for m in yaml.safe_load_all(done.stdout) if m]
    (deployment,) = (m for m in rendered if m["kind"] == "Deployment")
    images = [c["image"] for c in deployment["spec"]["template"]["spec"]["containers"]]
    assert set(images) == {"flyte:mine"}
    ports = [
        p.get("nodePort") for m in rendered if m["kind"] == "Service" for p in m["spec"]["ports"]
    ]
    assert 30081 in ports
