"""docs/measures.md explains every metric, with figures that hold."""

from pathlib import Path

import pytest

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.model import METRICS

DOC = Path(__file__).parents[2] / "docs" / "measures.md"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_its_sentence_and_its_source(metric):
    (row,) = [line for line in DOC.read_text().splitlines() if line.startswith(f"| `{metric}` |")]

    meaning, source = (cell.strip() for cell in row.split("|")[2:4])
    assert meaning.endswith(".")
    assert source


@pytest.mark.parametrize(
    "case",
    ["single", "chain", "echo_wide", "fan", "nested_dynamic", "parallel_subs"],
)
def test_sizes_are_those_of_the_recordings(recordings, case):
    state = analyze_recording(recordings / case / "0").state

    (row,) = [line for line in DOC.read_text().splitlines() if line.startswith(f"| {case}/0 |")]
    told = [int(cell) for cell in row.split("|")[2:-1]]
    assert told == [
        state.peak_bytes,
        pytest.approx(state.peak_gzip_bytes, rel=0.05),  # zlib's versions differ a little
        state.peak_binary_bytes,
        state.peak_plugin_bytes,
        state.peak_nodes,
    ]
