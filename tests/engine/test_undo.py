from __future__ import annotations

import sys

import pytest

from pytest_flyteperf.engine.journal import Journal, Opened, Undo
from pytest_flyteperf.engine.reap import reap
from pytest_flyteperf.engine.undo import undo
from pytest_flyteperf.errors import ClusterError

APPEND = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"


@pytest.fixture
def cluster(tmp_path):
    directory = tmp_path / "clusters" / "kind-1"
    directory.mkdir(parents=True)
    Journal(directory).write(Opened(id="kind-1.ff"))
    return directory


def removal(thing, *arguments):
    return Undo(thing=thing, argv=(sys.executable, "-S", "-c", *arguments))


def test_the_last_thing_created_is_removed_first(cluster, tmp_path):
    journal, order = Journal(cluster), tmp_path / "order"
    journal.write(removal("cluster", APPEND, str(order), "a"))
    journal.write(removal("release", APPEND, str(order), "b"))

    assert undo(cluster) == ("release", "cluster")
    assert order.read_text() == "ba"


def test_what_cannot_be_removed_keeps_its_journal(cluster):
    Journal(cluster).write(removal("kind cluster x", "raise SystemExit('no daemon')"))

    with pytest.raises(ClusterError, match=r"kind cluster x: not removed: no daemon; by hand: .+"):
        reap(cluster.parent)
    assert cluster.exists()


def test_a_missing_program_is_said_in_one_line(cluster):
    Journal(cluster).write(Undo(thing="kind cluster x", argv=("/nowhere/kind", "delete")))

    with pytest.raises(ClusterError, match="No such file or directory: /nowhere/kind; by hand"):
        undo(cluster)


def test_reaping_says_what_it_removed(cluster):
    Journal(cluster).write(removal("kind cluster x", ""))

    (reaped,) = reap(cluster.parent)
    assert reaped.things == ("kind cluster x",)
    assert not cluster.exists()
