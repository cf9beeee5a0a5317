"""Where the time went, in lines for people."""

import json

import msgspec

from pytest_flyteperf.analyze import analyze_recording, explain
from pytest_flyteperf.analyze.fold import fold_log, render


def test_a_retry_told_step_by_step(recordings):
    """Times as in the recording: pod 0 ran from 103.7 to 345.9, pod 1 from 621.1 to 821.6."""
    lines = list(explain(analyze_recording(recordings / "retry/0")))

    assert lines[0] == "ahcx5cfdgmz4kwb55qm4: succeeded after 1.622 s"
    (task,) = [line for line in lines if " n0 (task) " in line and "before" not in line]
    assert " ".join(task.split()) == (
        "0.060 1.519 s n0 (task) flyte waiting: batching tick 0.977 s,"
        " user lost 0.242 s (0.120 to 0.259), user container 0.200 s (0.000 to 0.217),"
        " flyte working 0.100 s (0.066 to 0.124)"
    )
    assert lines[-1] == "note: refused events: 1 of 1 task events"


def test_nodes_beneath_nodes_are_indented(recordings):
    lines = list(explain(analyze_recording(recordings / "nested_dynamic/0")))

    assert any("  n0 (dynamic)" in line for line in lines)
    assert any("    n0-0-dn1 (dynamic)" in line for line in lines)
    assert any("      n0-0-dn1-0-dn0 (task)" in line for line in lines)


def test_every_step_of_the_path_has_its_line(recordings):
    measures = analyze_recording(recordings / "launchplan2/0")

    lines = list(explain(measures))
    assert any(" fvtfy3z3zm2pc3/n0 (task) " in line for line in lines)
    assert len(lines) == 1 + len(measures.ownership.path) + len(measures.findings)


def test_an_execution_that_has_not_ended_says_so(copied):
    folder = copied("chain/0")
    document = json.loads((folder / "execution.json").read_text())
    document["closure"]["phase"] = "RUNNING"
    (folder / "execution.json").write_text(json.dumps(document))

    (line,) = explain(analyze_recording(folder))
    assert line.endswith("running; it has not ended, so nothing is owned")


def test_names_cannot_give_orders_to_a_terminal(recordings):
    measures = analyze_recording(recordings / "single/0")
    hostile = msgspec.structs.replace(measures, execution="\x1b[2Jx")
    log = json.dumps({"msg": "Processing Workflow.", "ts": "\x1b" * 20, "json": {"exec_id": "e"}})

    assert "\x1b" not in "".join(explain(hostile))
    assert "\x1b" not in "".join(render(fold_log([log.encode()], "e")))
