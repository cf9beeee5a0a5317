"""docs/state.md answers with figures that hold."""

from pathlib import Path

import msgspec
import pytest

from pytest_flyteperf.analyze import analyze_recording, spans
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.slopes import slope

DOC = Path(__file__).parents[2] / "docs" / "state.md"
CASES = ["single", "chain", "echo_wide", "fan", "nested_dynamic", "parallel_subs"]
KIB = 1024
NS_PER_KIB = 524_400
"""What a CRD write takes longer for each KiB, as the page says and the last test finds."""


def revisions(recording, execution):
    """Bytes of each revision of an execution's object but the first, in order."""
    sizes = {}
    for record in recording.workflows():
        found = msgspec.json.decode(record.event.object)
        metadata = found["metadata"]
        if metadata["name"] == execution and record.event.type in {"ADDED", "MODIFIED"}:
            metadata.pop("managedFields", None)
            sizes.setdefault(metadata["resourceVersion"], len(msgspec.json.encode(found)))
    return list(sizes.values())[1:]


def writes(folder):
    """Bytes and nanoseconds of each CRD write, of executions whose writes were all watched."""
    recording = Recording(folder)
    took = {part.execution.id.name: [] for part in (recording, *recording.children)}
    for handle in spans.read_handles(recording.traces()):
        if isinstance(handle, spans.Handle) and handle.execution in took:
            took[handle.execution] += [
                (operation.start_ns, operation.end_ns - operation.start_ns)
                for operation in handle.operations
                if operation.name == spans.CRD_WRITE and not operation.failed
            ]
    for execution, found in took.items():
        sizes = revisions(recording, execution)
        if len(sizes) == len(found):
            yield from zip(sizes, (ns for _, ns in sorted(found)), strict=True)


@pytest.mark.parametrize("case", CASES)
def test_the_table_is_that_of_the_recordings(recordings, case):
    measures = analyze_recording(recordings / case / "0")
    state, working_ns = measures.state, measures.metrics["handle_ns"]

    (row,) = [line for line in DOC.read_text().splitlines() if line.startswith(f"| {case}/0 |")]
    told = [float(cell.strip(" %")) for cell in row.split("|")[2:-1]]

    left = state.peak_gzip_bytes * 4 / 3 / state.peak_bytes
    spared_ns = state.written_bytes * (1 - left) * NS_PER_KIB / KIB
    assert told == [
        state.peak_bytes,
        pytest.approx(state.peak_gzip_bytes, rel=0.05),  # zlib's versions differ a little
        state.peak_binary_bytes,
        state.peak_plugin_bytes,
        state.peak_nodes,
        pytest.approx(state.write_amplification, abs=0.05),
        pytest.approx(100 * measures.operations["crd write"].ns / working_ns, abs=0.5),
        pytest.approx(100 * spared_ns / working_ns, abs=1),
    ]


def test_what_a_kib_costs_is_that_of_the_recordings(recordings):
    found = [write for folder in sorted(recordings.glob("*/[01]")) for write in writes(folder)]
    line = slope(found)

    assert len(found) == 636
    assert line.per_unit * KIB == pytest.approx(NS_PER_KIB, rel=0.001)
    assert [round(end * KIB / 1e6, 2) for end in (line.low, line.high)] == [0.42, 0.63]
    assert round(line.at_zero / 1e6, 1) == 4.8


def test_most_of_a_chains_writes_are_followed_by_another_in_their_handle(recordings):
    handles = spans.read_handles(Recording(recordings / "chain/0").traces())
    found = [
        [one for one in handle.operations if one.name == spans.CRD_WRITE]
        for handle in handles
        if isinstance(handle, spans.Handle)
    ]
    followed = [one for written in found for one in written[:-1]]

    assert (len(followed), sum(map(len, found))) == (27, 33)
    assert round(sum(one.end_ns - one.start_ns for one in followed) / 1e6) == 231


def test_what_a_sub_task_and_a_child_take_is_as_told(recordings):
    states = {
        name: analyze_recording(recordings / name).state
        for name in ("fan/0", "dynamic3/0", "nested_dynamic/0")
    }

    assert states["fan/0"].array_item_bytes == 22
    assert states["dynamic3/0"].dynamic_child_bytes == 53
    assert states["nested_dynamic/0"].dynamic_child_bytes == 60
