from itertools import pairwise
from pathlib import Path

import pytest

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.lanes import read_lanes

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
FOLDERS = sorted(path.parent for path in RECORDINGS.glob("*/*/execution.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_the_drawn_path_adds_up_to_its_ownership(folder):
    drawn = {}
    lanes = read_lanes(folder)
    for piece in lanes.path:
        key = piece.owner, piece.detail
        drawn[key] = drawn.get(key, 0) + piece.end_ns - piece.start_ns

    owners = analyze_recording(folder).ownership.owners
    assert drawn == {(o.owner, o.detail): o.point_ns for o in owners if o.point_ns}
    assert lanes.path[0].start_ns == 0
    assert lanes.path[-1].end_ns == lanes.wall_ns


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_pieces_fill_their_lane_without_gap(folder):
    lanes = read_lanes(folder)

    assert lanes.lanes
    for lane in lanes.lanes:
        edges = [(piece.start_ns, piece.end_ns) for piece in lane.pieces]
        if lane.start_ns < lane.end_ns:
            assert (edges[0][0], edges[-1][1]) == (lane.start_ns, lane.end_ns)
        assert all(end == start for (_, end), (start, _) in pairwise(edges))


def test_a_child_comes_after_its_parent_and_deeper():
    lanes = read_lanes(RECORDINGS / "nested_dynamic" / "0").lanes

    assert lanes[0].depth == 0
    assert max(lane.depth for lane in lanes) == 2
    assert all(below.depth <= above.depth + 1 for above, below in pairwise(lanes))


def test_a_large_execution_is_cut_into_fewer_pieces(monkeypatch):
    monkeypatch.setattr("pytest_flyteperf.analyze.lanes.MOST_PIECES", 1)
    lanes = read_lanes(RECORDINGS / "chain" / "0")

    assert max(len(lane.pieces) for lane in lanes.lanes) <= 6
    assert lanes.path[-1].end_ns == lanes.wall_ns
