import pytest
from workflows.chain import cached_chain_of, chain_of, echo_chain_of

from pytest_flyteperf.gate import DEFAULT_GATE


@pytest.mark.flyteperf(repeats={"short": 2, "default": 5, "full": 20})
def test_chain(flyteperf):
    """Tasks one after another: the hand-over from a finished pod to the next one.

    Guards every pipeline: Flyte overhead gates the waits, working time the rounds between.
    """
    length = flyteperf.sized(short=2, default=8, full=25)
    assert flyteperf(chain_of(length), a=0) == length
    assert flyteperf.shape.pods == flyteperf.shape.nodes["task"] == length


@pytest.mark.flyteperf(warmups=1, repeats={"short": 3, "default": 15, "full": 60})
def test_cached_chain(flyteperf):
    """Chained cache hits: one round and one CRD write a node, no pod (flyteorg/flyte#2886).

    The warm-up has an input that no cache has seen: it misses every time and fills the cache.
    Guards reruns of long pipelines. CRD writes, events and blob operations gate exactly.
    """
    length = flyteperf.sized(short=5, default=10, full=50)
    start = flyteperf.fresh_number
    assert flyteperf(cached_chain_of(length), a=start) == start + length
    assert flyteperf.shape.cache == {"hit": length}
    assert flyteperf.shape.pods == 0


@pytest.mark.flyteperf(
    repeats={"short": 3, "default": 12, "full": 100},
    gate=(*DEFAULT_GATE, "pods", "attempts", "handles"),
)
def test_echo_chain(flyteperf):
    """Nodes without pods, one after another: FlytePropeller's own cost of a node.

    Guards everybody: all that Propeller does for a node is in it. Beside the default metrics its
    handles gate, which show a worker that gives up a workflow sooner.
    """
    length = flyteperf.sized(short=10, default=50, full=250)
    assert flyteperf(echo_chain_of(length), a=7) == 7
    assert flyteperf.shape.nodes["task"] == length
    assert flyteperf.shape.pods == 0
