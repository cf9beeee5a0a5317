"""Chains built from lengths: each length must come back as the time of the owner it stands for."""

from types import SimpleNamespace

from analyze_examples import MS, node, pod, pods, run, task, working
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.evidence import BATCH_NS, Watch
from pytest_flyteperf.analyze.ledger import Owner
from pytest_flyteperf.analyze.ownership import attribute

TICK_MS = BATCH_NS // MS
RECEIPT_NS = 1000
"""A receipt is a float of seconds, 240 ns apart: less than this is no time at all."""

some_ms = st.integers(1, 900)
attempts = st.fixed_dictionaries(
    {
        "work": some_ms,  # a handle, until it has created the pod
        "start": some_ms,  # until the container runs
        "run": some_ms,
        "report": some_ms,  # until the watch shows the container's end
        "wait": st.integers(1, 3000),  # until a worker acts on it
    }
)
chains = st.lists(st.lists(attempts, min_size=1, max_size=3), min_size=1, max_size=4)
"""Tasks one after another, each with the attempts it took: the last succeeds."""


def build(chain):
    """The documents of a chain that begins at 0, each handle reaching from news to the next pod."""
    nodes, tasks, watched, handles = [], [], [], []
    at = woken = 0
    for number, tried in enumerate(chain):
        name, created = f"n{number}", at
        for retry, one in enumerate(tried):
            last = retry == len(tried) - 1
            submitted = at + one["work"]
            handles.append((woken, submitted))
            started = submitted + one["start"]
            finished = started + one["run"]
            reported = finished + one["report"]
            at = woken = reported + one["wait"]
            lived = (submitted, submitted, started, finished)
            watched.append(
                pod(f"e-{name}-{retry}", *lived, reported=reported, exit_code=0 if last else 1)
            )
            phase = "SUCCEEDED" if last else "FAILED"
            tasks.append(task(name, submitted, at, retry=retry, phase=phase))
        nodes.append(node(name, created, created + 1, at))
    handles.append((woken, at + 10))
    return SimpleNamespace(
        nodes=nodes, tasks=tasks, watched=watched, handles=handles, ended=at + 10
    )


def owned(built, watched=None):
    whole = run(built.nodes, built.tasks, ended=built.ended)
    seen = Watch(pods(*(built.watched if watched is None else watched)))
    ledger = attribute(whole, {}, seen, {"e": working(*built.handles)}).whole
    times = {f"{owner} {detail}": s.point for (owner, detail), s in ledger.shares.items()}
    return {owner: round(ns / MS) for owner, ns in times.items() if ns > RECEIPT_NS}


def expected(chain):
    """What the lengths add up to, by whose they are; 10 ms end every execution."""
    sums = {"flyte working": 10}

    def add(owner, ms):
        sums[owner] = sums.get(owner, 0) + ms

    for tried in chain:
        for retry, one in enumerate(tried):
            failed = retry < len(tried) - 1
            add("flyte working", one["work"])
            add("kubernetes starting", one["start"])
            add("user lost" if failed else "user container", one["run"])
            add("kubernetes reporting", one["report"])
            timer = "batching tick" if one["wait"] <= TICK_MS else "resync timer"
            add(f"flyte waiting: {timer}", one["wait"])
    return sums


@given(chains)
def test_each_length_is_the_time_of_its_owner(chain):
    assert owned(build(chain)) == expected(chain)


@given(chains, st.data())
def test_a_length_that_grows_makes_its_owner_grow_and_nobody_else(chain, data):
    tried = data.draw(st.sampled_from(chain))
    one = data.draw(st.sampled_from(tried))
    what, owner = data.draw(
        st.sampled_from(
            [
                ("work", "flyte working"),
                ("start", "kubernetes starting"),
                ("run", "user lost" if one is not tried[-1] else "user container"),
                ("report", "kubernetes reporting"),
            ]
        )
    )
    before = owned(build(chain))

    one[what] += 7000
    after = owned(build(chain))

    assert after == before | {owner: before[owner] + 7000}


@given(chains, st.data())
def test_what_a_pod_nobody_watched_took_is_unknown_and_nobody_elses(chain, data):
    """FlyteAdmin has no stamps of it either: unknown from its submission to its last event."""
    built = build(chain)
    missing = data.draw(st.integers(0, len(built.watched) - 1))
    one = [one for tried in chain for one in tried][missing]
    before = owned(built)

    after = owned(built, [w for i, w in enumerate(built.watched) if i != missing])

    lost = one["start"] + one["run"] + one["report"] + one["wait"]
    assert after.get(f"{Owner.UNKNOWN} pod not watched", 0) == lost
    assert all(after.get(owner, 0) <= before.get(owner, 0) for owner in before)
