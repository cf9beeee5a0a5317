import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pytest_flyteperf.report import links

CHAIN = Path(__file__).parents[1] / "data" / "recordings" / "chain" / "0"
SITES = links.Sites(console="http://flyte:30080/console/", jaeger="http://jaeger:16686")


def test_an_execution_is_found_in_the_console_and_its_handles_in_jaeger():
    found = links.of(CHAIN, SITES)

    assert found.console == (
        "http://flyte:30080/console/projects/flytesnacks/domains/development/executions/"
        "a7vj8jp5gzbdchprm6fk"
    )
    asked = parse_qs(urlsplit(found.jaeger).query)
    assert found.jaeger.startswith("http://jaeger:16686/search?")
    assert asked["tags"] == ['{"exec_id":"a7vj8jp5gzbdchprm6fk"}']
    assert int(asked["start"][0]) < 1795354445_384174 < int(asked["end"][0])


@pytest.mark.parametrize("sites", [links.Sites(), SITES])
def test_nothing_is_linked_that_is_not_known(tmp_path, sites):
    assert links.of(tmp_path / "gone", sites) == links.Found()


def test_what_names_no_project_has_no_page_in_the_console(tmp_path):
    folder = tmp_path / "0"
    shutil.copytree(CHAIN, folder)
    path = folder / "execution.json"
    path.write_text(path.read_text().replace('"flytesnacks"', '""'))

    found = links.of(folder, SITES)

    assert found.console is None
    assert found.jaeger is not None


def test_odd_names_stay_within_their_part_of_the_url(tmp_path):
    folder = tmp_path / "0"
    shutil.copytree(CHAIN, folder)
    path = folder / "execution.json"
    path.write_text(path.read_text().replace('"development"', '"../x?y#z"', 1))

    assert "/domains/..%2Fx%3Fy%23z/executions/" in links.of(folder, SITES).console
