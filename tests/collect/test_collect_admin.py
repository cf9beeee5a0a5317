import gzip
import json
from pathlib import Path

import grpc
import pytest
from flyteidl.admin.execution_pb2 import AbortMetadata, Execution, ExecutionClosure
from flyteidl.core.execution_pb2 import ExecutionError

from pytest_flyteperf.collect.admin import Admin, AdminError, error_message, files
from tests.doubles.admin import FakeAdmin
from tests.doubles.flyte import FakeFlyte

RECORDINGS = Path(__file__).parents[1] / "data/recordings"
REPEATS = sorted(p.parent.relative_to(RECORDINGS) for p in RECORDINGS.glob("*/*/execution.json"))


@pytest.fixture
def server():
    with FakeAdmin() as server:
        yield server


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


def recorded(folder):
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder)).removesuffix(".gz")
        if path.name.split(".")[0] in ("execution", "node_executions", "task_executions"):
            data = path.read_bytes()
            found[name] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return found


@pytest.mark.parametrize("repeat", REPEATS, ids=str)
def test_a_recorded_execution_is_collected_as_it_was(flyte, repeat):
    name = flyte.admin.load(RECORDINGS / repeat)
    with Admin(flyte.deployment(), page=3) as admin:
        collected = files(admin.harvest(admin.identifier(name)))

    expected = recorded(RECORDINGS / repeat)
    assert expected == {path: json.loads(data) for path, data in collected.items()}


def test_files_are_indented_as_the_recordings_are(flyte):
    folder = RECORDINGS / "single/0"
    name = flyte.admin.load(folder)
    with Admin(flyte.deployment()) as admin:
        collected = files(admin.harvest(admin.identifier(name)))

    assert (folder / "execution.json").read_bytes() == collected["execution.json"]


@pytest.mark.parametrize("page", [1, 2, 52, 1000])
def test_every_row_comes_once_whatever_the_page(flyte, page):
    name = flyte.admin.load(RECORDINGS / "echo_wide/0")
    with Admin(flyte.deployment(), page=page) as admin:
        nodes = admin.harvest(admin.identifier(name)).nodes

    ids = [node.id.node_id for node in nodes]
    assert len(ids) == len(set(ids)) == 52


def test_a_refused_call_is_one_line_with_its_code(flyte):
    with Admin(flyte.deployment()) as admin, pytest.raises(AdminError) as caught:
        admin.execution(admin.identifier("nobody"))

    assert f"{flyte.admin.endpoint}: GetExecution: NOT_FOUND: no execution nobody" == str(
        caught.value
    )
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_terminating_what_is_unknown_is_no_trouble(flyte):
    with Admin(flyte.deployment()) as admin:
        assert not admin.terminate("nobody", "why")


def test_terminating_reports_other_refusals(flyte):
    flyte.admin.refuse["TerminateExecution"] = (grpc.StatusCode.UNAVAILABLE, "down")
    with Admin(flyte.deployment()) as admin, pytest.raises(AdminError, match="UNAVAILABLE: down"):
        admin.terminate("nobody", "why")


def test_the_reason_of_a_failure_is_flytekits_message_without_its_traceback(server):
    name = server.load(RECORDINGS / "failing/0")

    assert error_message(server.executions[name]) == "ValueError: planted failure"


def test_the_reason_of_a_killed_pod_is_one_line():
    message = (
        "[3/3] currentAttempt done. Last Error: SYSTEM::Pod failed.\r\n"
        "[p-n0-3] terminated with exit code (137). Reason [Error]. Message: \n."
    )
    execution = Execution(closure=ExecutionClosure(error=ExecutionError(message=message)))

    assert error_message(execution) == (
        "[3/3] currentAttempt done. Last Error: SYSTEM::Pod failed. "
        "[p-n0-3] terminated with exit code (137). Reason [Error]."
    )


def test_a_long_reason_keeps_its_beginning_and_its_root():
    chain = "failed at Node[n0]. " + "caused by: " * 90 + "limit exceeded. 3mb > 2mb."
    error = ExecutionError(message=chain)
    shown = error_message(Execution(closure=ExecutionClosure(error=error)))

    assert shown.startswith("failed at Node[n0]. caused by: ")
    assert " … " in shown
    assert shown.endswith("caused by: limit exceeded. 3mb > 2mb.")
    assert len(shown) < 410


def test_an_error_without_a_message_is_named_by_its_code():
    error = ExecutionError(code="RetriesExhausted", message=" \n")

    assert error_message(Execution(closure=ExecutionClosure(error=error))) == "RetriesExhausted"


def test_the_reason_of_an_abort_is_its_cause():
    closure = ExecutionClosure(abort_metadata=AbortMetadata(cause="took too\nlong"))

    assert error_message(Execution(closure=closure)) == "took too long"


def test_a_success_has_no_reason(server):
    name = server.load(RECORDINGS / "single/0")

    assert error_message(server.executions[name]) == ""
