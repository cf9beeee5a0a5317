"""What every session pays for the engine before anything starts."""

import pytest

from pytest_flyteperf.deploy.config import check_overrides, merge
from pytest_flyteperf.deploy.yamlfile import MAX_BYTES, read_yaml
from pytest_flyteperf.engine.build import ensure_engine


@pytest.mark.engine
def test_an_engine_that_is_built_is_found(benchmark):
    built = ensure_engine()

    assert benchmark(ensure_engine) == built


def test_the_largest_configuration_is_read_and_checked(benchmark, tmp_path):
    path = tmp_path / "flyte.yaml"
    line = "    - {{NAME_{}: value}}\n"
    text = "plugins:\n  k8s:\n    default-env-vars:\n"
    count = 0
    while len(text) + len(line) + 5 < MAX_BYTES:
        text += line.format(count)
        count += 1
    path.write_text(text)

    def read():
        document = read_yaml(path)
        check_overrides(document, full=False)
        return merge({}, document.content)

    assert len(benchmark(read)["plugins"]["k8s"]["default-env-vars"]) == count
