"""What FlyteAdmin knows of an execution, read once after its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import grpc
from flyteidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.service import admin_pb2_grpc
from google.protobuf.json_format import MessageToDict

from pytest_flyteperf.adminapi import login_failed, open_channel
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.model import Deployment, Frozen

CALL_TIMEOUT_S = 30.0
PAGE = 500
"""Rows a list call asks for; FlyteAdmin has no upper bound, gRPC messages have."""
ALL_DEPTHS = -1
"""GetExecutionMetrics counts a depth down at each level and stops at 0 (`metrics_manager.go`)."""
SHOWN_FIRST = 220
SHOWN_LAST = 180
"""Characters of a long error that are shown, of its beginning and of its end, where Flyte's chains
of `caused by` have their root; the recording has all of it."""

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
"""Phases of a workflow execution that nothing follows."""


class AdminError(DeploymentError):
    """FlyteAdmin refused a call or did not answer."""

    def __init__(self, where: str, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(f"{where}: {code.name}: {reason}")
        self.code = code
        self.reason = reason
        """What the server said, in one line."""


class Address(Frozen, frozen=True):
    """Where a FlyteAdmin answers, and the project and domain that are meant."""

    admin_endpoint: str
    project: str
    domain: str
    flyte_config: str | None = None


class Harvest(NamedTuple):
    """FlyteAdmin's rows of one execution, and of those that its launch plan nodes started."""

    execution: Any
    """`flyteidl.admin.Execution`."""
    nodes: tuple[Any, ...]
    """`flyteidl.admin.NodeExecution`s, each parent before its children, depth first."""
    tasks: tuple[Any, ...]
    """`flyteidl.admin.TaskExecution`s, in the order of their nodes."""
    children: dict[str, Harvest]
    """By the name of the child execution."""


class Admin:
    """A client of FlyteAdmin for executions: what is needed to run them and to read them.

    It uses the generated stubs alone: flytekit's client repeats every refused call three times.
    """

    def __init__(
        self,
        deployment: Deployment | Address,
        *,
        page: int = PAGE,
        channel: Any = None,
    ) -> None:
        self._endpoint = deployment.admin_endpoint
        self._project = deployment.project
        self._domain = deployment.domain
        self._page = page
        self._channel = channel or open_channel(self._endpoint, deployment.flyte_config)
        self.stub = admin_pb2_grpc.AdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def identifier(self, name: str) -> Any:
        """`WorkflowExecutionIdentifier` of an execution in the deployment's project and domain."""
        return identifier_pb2.WorkflowExecutionIdentifier(
            project=self._project, domain=self._domain, name=name
        )

    def call(self, method: str, request: Any) -> Any:
        """Call AdminService.

        Raises:
            AdminError: the call failed; one line with the endpoint, the method and the reason.
            DeploymentError: flytekit could not log in.
        """
        try:
            return getattr(self.stub, method)(request, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            reason = " ".join((error.details() or "no details").split())
            raise AdminError(f"{self._endpoint}: {method}", error.code(), reason) from None
        except Exception as error:
            raise login_failed(self._endpoint, error) from error

    def execution(self, identifier: Any) -> Any:
        """Read one execution."""
        return self.call("GetExecution", execution_pb2.WorkflowExecutionGetRequest(id=identifier))

    def terminate(self, name: str, cause: str) -> bool:
        """Abort an execution; False if it had ended already or is not known."""
        request = execution_pb2.ExecutionTerminateRequest(id=self.identifier(name), cause=cause)
        try:
            self.call("TerminateExecution", request)
        except AdminError as error:
            if error.code in (
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.FAILED_PRECONDITION,
                grpc.StatusCode.INVALID_ARGUMENT,
            ):
                return False
            raise
        return True

    def outputs(self, name: str) -> Any:
        """Read the outputs of an execution, a `LiteralMap`."""
        request = execution_pb2.WorkflowExecutionGetDataRequest(id=self.identifier(name))
        return self.call("GetExecutionData", request).full_outputs

    def metrics(self, identifier: Any) -> Any:
        """Read what FlyteAdmin itself makes of an execution's time, its child executions included.

        Raises:
            AdminError: it is not served, or FlyteAdmin cannot compute it, as with failure nodes.
        """
        request = execution_pb2.WorkflowExecutionGetMetricsRequest(id=identifier, depth=ALL_DEPTHS)
        return self.call("GetExecutionMetrics", request)

    def harvest(self, identifier: Any) -> Harvest:
        """Read an execution, its nodes, tasks and child executions, at any depth."""
        execution = self.execution(identifier)
        nodes = tuple(self._nodes(execution.id, ""))
        tasks = tuple(task for node in nodes for task in self._tasks(node.id))
        children = {}
        for node in nodes:
            if node.closure.HasField("workflow_node_metadata"):
                child = node.closure.workflow_node_metadata.executionId
                children[child.name] = self.harvest(child)
        return Harvest(execution, nodes, tasks, children)

    def _nodes(self, execution: Any, parent: str) -> Iterator[Any]:
        request = node_execution_pb2.NodeExecutionListRequest(
            workflow_execution_id=execution, unique_parent_id=parent
        )
        for node in self._pages("ListNodeExecutions", request, "node_executions"):
            yield node
            if node.metadata.is_parent_node:
                yield from self._nodes(execution, node.id.node_id)

    def _tasks(self, node: Any) -> Iterator[Any]:
        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=node)
        return self._pages("ListTaskExecutions", request, "task_executions")

    def _pages(self, method: str, request: Any, rows: str) -> Iterator[Any]:
        # Without an order, offsets of a paged list point at different rows each time.
        request.sort_by.CopyFrom(
            common_pb2.Sort(key="created_at", direction=common_pb2.Sort.ASCENDING)
        )
        request.limit = self._page
        while True:
            answer = self.call(method, request)
            yield from getattr(answer, rows)
            if not answer.token or not getattr(answer, rows):
                return
            request.token = answer.token


def family(harvest: Harvest) -> list[str]:
    """Name of the execution and of all that its launch plan nodes started."""
    below = (name for child in harvest.children.values() for name in family(child))
    return [harvest.execution.id.name, *below]


def phase_name(execution: Any) -> str:
    """Phase of an execution as FlyteAdmin names it, e.g. `SUCCEEDED`."""
    name: str = core_execution_pb2.WorkflowExecution.Phase.Name(execution.closure.phase)
    return name


def error_message(execution: Any) -> str:
    """Why an execution failed or was aborted, in one line; empty if it says nothing."""
    closure = execution.closure
    if closure.HasField("abort_metadata"):
        return " ".join(str(closure.abort_metadata.cause).split())
    if not closure.HasField("error"):
        return ""
    # flytekit sends a traceback, then `Message:` and the error alone.
    message = str(closure.error.message)
    said = " ".join(message.rpartition("\nMessage:\n")[2].split())
    return _shortened(said.removesuffix(" Message: .")) or str(closure.error.code)


def _shortened(said: str) -> str:
    if len(said) <= SHOWN_FIRST + SHOWN_LAST:
        return said
    return f"{said[:SHOWN_FIRST].rstrip()} … {said[-SHOWN_LAST:].lstrip()}"


def to_json(message: Any) -> dict[str, Any]:
    """Proto JSON with proto field names, as recordings hold it."""
    converted: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return converted


def files(harvest: Harvest) -> dict[str, bytes]:
    """Files of a harvest by their path in a recording's folder, not compressed."""

    def encode(rows: object) -> bytes:
        return json.dumps(rows, indent=1).encode()

    result = {
        "execution.json": encode(to_json(harvest.execution)),
        "node_executions.json": encode([to_json(node) for node in harvest.nodes]),
        "task_executions.json": encode([to_json(task) for task in harvest.tasks]),
    }
    for name, child in harvest.children.items():
        result |= {f"children/{name}/{path}": data for path, data in files(child).items()}
    return result
