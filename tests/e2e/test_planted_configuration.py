"""Regressions planted by Flyte's own configuration: the right cases fail and say what moved."""

import re
from urllib.parse import urlsplit

import pytest
from project import measured

from tests.doubles.slow_proxy import slow_proxy

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BENCHMARKS = """
    import pytest
    from flytekit import map_task, workflow
    from flows import add, add_cached, add_once, echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(20):
            a = echo(a=a)
        return a

    @workflow
    def hits(a: int) -> int:
        for _ in range(3):
            a = add_cached(a=a)
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
    def test_cached_chain(flyteperf):
        assert flyteperf(hits, a=1) == 4

    @pytest.mark.flyteperf(repeats=4, gate=["node_events", "pods"])
    def test_map(flyteperf):
        assert flyteperf(wide, numbers=[1, 2, 3, 4]) == [2, 3, 4, 5]
"""


@pytest.fixture(scope="module")
def recorded(shared_project):
    """A project whose cases have baselines, and whose Flyte is up."""
    shared_project.write("test_it.py", BENCHMARKS)
    code, output = measured(shared_project, "--flyteperf-update=new", "--flyteperf-keep")
    assert code == 0, output
    return shared_project


def planted(project, config):
    """Code and text of a gated run with this configuration, and the failure of each case."""
    project.write("planted.yaml", config)
    gated = "--flyteperf-baseline", "--flyteperf-config=planted.yaml", "--flyteperf-keep"
    code, output = measured(project, *gated)
    assert "Traceback" not in output, output
    blocks = {}
    for block in output.split("\n____")[1:]:
        title, _, text = block.partition("\n")
        blocks[title.strip("_ ").removeprefix("test_")] = text.partition("\n====")[0]
    return code, output, blocks


def regressed(blocks):
    """Cases that failed for a regression."""
    return [name for name, text in blocks.items() if f"{name}: regressed" in text]


def planted_in_echo_chain(project, config):
    """The cause of the one regression that this configuration makes."""
    code, output, blocks = planted(project, config)
    if not regressed(blocks) and "echo_chain: advice only" in output:
        pytest.skip("repeats differ too much on this machine to gate their times")
    assert code == 1, output
    assert regressed(blocks) == ["echo_chain"], output
    return blocks["echo_chain"].partition("cause")[2]


def longer(operation, cause):
    """Whether the cause names this operation first, as taking longer."""
    first = next(line.strip() for line in cause.splitlines() if line.strip())
    return first.startswith(operation) and " -> " in first.rpartition("calls")[2]


def test_an_unchanged_configuration_fails_nothing(recorded):
    code, output, blocks = planted(recorded, "propeller:\n  max-streak-length: 8\n")

    assert code == 0, output
    assert regressed(blocks) == [], output


def test_a_short_streak_shows_as_more_handles(recorded):
    cause = planted_in_echo_chain(recorded, "propeller:\n  max-streak-length: 1\n")

    assert re.search(r"^ +handles [\d.]+ -> \d+$", cause, re.MULTILINE), cause


def test_a_slow_object_store_shows_as_longer_blob_operations(recorded):
    store = urlsplit(recorded.cluster().store.endpoint)
    with slow_proxy(store.hostname, store.port, 0.03) as port:
        cause = planted_in_echo_chain(
            recorded, f"storage:\n  stow:\n    config:\n      endpoint: http://127.0.0.1:{port}\n"
        )

    assert longer("blob", cause), cause


def test_a_slow_admin_shows_as_longer_events(recorded):
    cause = planted_in_echo_chain(recorded, "standin:\n  eventDelay: 100ms\n")

    assert longer("node event", cause), cause


def test_a_throttled_kubernetes_client_shows_as_longer_crd_writes(recorded):
    cause = planted_in_echo_chain(
        recorded, "propeller:\n  kube-client-config:\n    qps: 20\n    burst: 1\n"
    )

    assert longer("crd write", cause), cause


def test_a_low_rate_of_events_fails_the_case_with_flytes_reason(recorded):
    code, output, blocks = planted(recorded, "event:\n  rate: 5\n  capacity: 5\n")

    assert code == 1
    assert "ErrorRecordingError" in blocks["echo_chain"], output
    assert "ResourceExhausted" in blocks["echo_chain"], output
    assert regressed(blocks) == [], output


def test_a_disabled_cache_shows_as_pods(recorded):
    code, output, blocks = planted(recorded, "catalog-cache:\n  type: noop\n")

    assert code == 1
    assert regressed(blocks) == ["cached_chain"], output
    assert "pods 0 -> 3" in blocks["cached_chain"].partition("cause")[2]


def test_one_worker_is_enough_for_one_execution(recorded):
    code, output, blocks = planted(recorded, "propeller:\n  workers: 1\n")

    assert code == 0, output
    assert regressed(blocks) == [], output


def test_large_values_that_are_not_offloaded_fail_with_the_limit(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from flytekit import map_task, task, workflow
        from flows import SMALL

        @task(requests=SMALL)
        def text(megabytes: int) -> str:
            return "x" * (megabytes << 20)

        @task(requests=SMALL)
        def length(texts: list[str]) -> int:
            return sum(map(len, texts))

        @workflow
        def large(megabytes: list[int]) -> int:
            return length(texts=map_task(text)(megabytes=megabytes))

        @pytest.mark.flyteperf(repeats=1, warmups=0)
        def test_large(flyteperf):
            assert flyteperf(large, megabytes=[1, 1, 1]) == 3 << 20
        """,
    )
    offloaded = "{enabled: %s, min-size-in-mb-for-offloading: 1}"
    for enabled in ("true", "false"):
        project.write(
            f"{enabled}.yaml",
            f"propeller:\n  literal-offloading-config: {offloaded % enabled}\n",
        )
    code, output = measured(project, "--flyteperf-config=true.yaml", "--flyteperf-keep")
    assert code == 0, output

    code, output = project.run("--flyteperf-config=false.yaml")
    assert code == 1
    assert "Traceback" not in output
    assert "limit exceeded" in output, output
