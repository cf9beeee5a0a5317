"""Regressions planted by Flyte's own configuration: the right cases fail and say what moved."""

from urllib.parse import urlsplit

import pytest
from project import ran

from tests.doubles.slow_proxy import slow_proxy

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BENCHMARKS = """
    import pytest
    from flytekit import map_task, workflow
    from flows import add, add_once, echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(20):
            a = echo(a=a)
        return a

    @workflow
    def wide(numbers: list[int]) -> list[int]:
        return map_task(add, concurrency=0)(a=numbers)

    @pytest.mark.flyteperf(repeats=8, gate=["crd_writes", "handles", "handle_ns", "duration_ns"])
    def test_echo_chain(flyteperf):
        assert flyteperf(chain, a=3) == 3

    @pytest.mark.flyteperf(repeats=4, gate=["node_events", "pods"])
    def test_short_task(flyteperf):
        assert flyteperf(add_once, a=1) == 2

    @pytest.mark.flyteperf(repeats=4, gate=["node_events", "pods"])
    def test_map(flyteperf):
        assert flyteperf(wide, numbers=[1, 2, 3, 4]) == [2, 3, 4, 5]
"""


@pytest.fixture(scope="module")
def recorded(shared_project):
    """A project whose cases have baselines, and whose Flyte is up."""
    shared_project.write("test_it.py", BENCHMARKS)
    code, output = shared_project.run("--flyteperf-update=new", "--flyteperf-keep")
    assert ran(code, output), output
    return shared_project


def planted(project, config):
    """Code and text of a gated run with this configuration, and the failure of each case."""
    project.write("planted.yaml", config)
    code, output = project.run(
        "--flyteperf-baseline", "--flyteperf-config=planted.yaml", "--flyteperf-keep"
    )
    assert "Traceback" not in output, output
    blocks = {}
    for block in output.split("\n____")[1:]:
        title, _, text = block.partition("\n")
        blocks[title.strip("_ ").removeprefix("test_")] = text.partition("\n====")[0]
    return code, output, blocks


def test_an_unchanged_configuration_fails_nothing(recorded):
    code, output, blocks = planted(recorded, "propeller:\n  max-streak-length: 8\n")

    assert ran(code, output), output
    assert "regressed" not in output
    assert all("measurement invalid" in text for text in blocks.values())


def test_a_short_streak_shows_as_more_handles(recorded):
    code, output, blocks = planted(recorded, "propeller:\n  max-streak-length: 1\n")

    assert code == 1
    assert list(blocks) == ["echo_chain"], output
    assert "echo_chain: regressed" in blocks["echo_chain"]
    assert "handles" in blocks["echo_chain"].partition("cause")[2]


def test_a_slow_object_store_shows_as_longer_blob_operations(recorded):
    store = urlsplit(recorded.cluster().store.endpoint)
    with slow_proxy(store.hostname, store.port, 0.03) as port:
        code, output, blocks = planted(
            recorded, f"storage:\n  stow:\n    config:\n      endpoint: http://127.0.0.1:{port}\n"
        )

    assert code == 1
    assert "echo_chain: regressed" in blocks["echo_chain"], output
    assert "blob" in blocks["echo_chain"].partition("cause")[2]


def test_a_low_rate_of_events_shows_as_refused_events(recorded):
    code, output, blocks = planted(recorded, "event:\n  rate: 15\n  capacity: 15\n")

    assert code == 1
    assert "echo_chain: regressed" in blocks["echo_chain"], output
    assert "event" in blocks["echo_chain"].partition("cause")[2]


def test_one_worker_is_enough_for_one_execution(recorded):
    code, output, _ = planted(recorded, "propeller:\n  workers: 1\n")

    assert ran(code, output), output
    assert "regressed" not in output
