"""How far several builds at once are, told in one line."""

import threading

import pytest

from pytest_flyteperf.engine.compiling import Meter, StoppedError, told


def meter(*lines, most=None, then=()):
    """A meter that has heard of modules, then how many packages there are, then of these."""
    heard = Meter(threading.Event())
    for line in lines:
        heard(f"go: downloading {line}")
    heard.most = most
    for line in then:
        heard(line)
    return heard


@pytest.mark.parametrize(
    ("meters", "line"),
    [
        ([meter(), meter()], ""),
        ([meter("x v1"), meter("y v2", "z v1")], "3 modules fetched, last z v1"),
        (
            [meter("x v1", most=2000, then=["a", "b"]), meter("y v2")],
            "2 modules fetched, 2 packages compiled, last y v2",
        ),
        (
            [meter("x v1", most=2000, then=["a", "b"]), meter("y v2", most=30, then=["c"])],
            "3 of at most 2,030 packages compiled, last c",
        ),
        (
            [meter(most=20, then=["a", "b"]), meter(most=10, then=["c", "d"])],
            "at most 11 min left, 4 of at most 30 packages compiled, last d",
        ),
    ],
    ids=["at first", "while both fetch", "while one fetches", "while both compile", "later"],
)
def test_it_is_told(meters, line):
    assert told(meters, age_s=100) == line


@pytest.mark.parametrize("line", ["a", None], ids=["that talks", "that is silent"])
def test_a_go_is_stopped(line):
    stop = threading.Event()
    heard = Meter(stop)
    stop.set()

    with pytest.raises(StoppedError):
        heard(line)
