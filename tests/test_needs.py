"""Cases that need more than Flyte are skipped, with the reason, where it is missing."""

import msgspec
import pytest

from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.stack import missing
from tests.doubles.flyte import FakeFlyte

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_definitions_that_a_cluster_does_not_have_are_named(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        flyte.kube.put(DEFINITIONS, {"metadata": {"name": "rayjobs.ray.io"}})
        cluster = flyte.deployment().cluster

        asked = ["rayjobs.ray.io", "sparkapplications.sparkoperator.k8s.io"]
        assert list(missing(asked, cluster)) == asked[1:]


def test_an_api_server_that_refuses_is_no_missing_definition(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        cluster = flyte.deployment().cluster
        flyte.kube.forbidden = True

        with pytest.raises(ClusterError, match="forbidden"):
            list(missing(["rayjobs.ray.io"], cluster))


def test_nothing_is_asked_where_nothing_is_needed(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        nowhere = msgspec.structs.replace(flyte.deployment().cluster, kubeconfig="/nowhere")

        assert list(missing([], nowhere)) == []


@pytest.mark.parametrize("given", ['"rayjobs.ray.io"', "[1]"])
def test_needs_that_are_no_list_of_names_are_refused_before_anything_starts(pytester, given):
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.flyteperf(needs={given})
        def test_it(flyteperf): ...
        """
    )
    outcome = pytester.runpytest_subprocess()

    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*marker flyteperf: needs=*: give a list of names such as*"])
