"""A FlyteAdmin in a few lines: rows that were put into it, paged as FlyteAdmin pages them."""

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    task_execution_pb2,
    task_pb2,
    version_pb2,
    workflow_pb2,
)
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2
from flyteidl.service import admin_pb2_grpc
from google.protobuf.json_format import ParseDict

from tests.doubles.node_ids import parents

PHASES = core_execution_pb2.WorkflowExecution.Phase


class FakeAdmin(admin_pb2_grpc.AdminServiceServicer):
    """Rows by execution name; `on_create` and `on_terminate` say what happens then."""

    def __init__(self, *, login=None, credentials=None):
        """`login` says who may call, `credentials` are gRPC's for TLS."""
        self.executions = {}
        self.nodes = {}
        self.tasks = {}
        self.outputs = {}
        self.registered = {}
        self.calls = []
        self.requests = []
        self.refuse = {}
        self.metrics = None
        self.on_create = lambda _request: None
        self.on_terminate = lambda _name: None
        self._lock = threading.Lock()
        self.version = ("v1.16.8", "double")
        guards = [] if login is None else [login]
        self._server = grpc.server(ThreadPoolExecutor(4), interceptors=guards)
        admin_pb2_grpc.add_AdminServiceServicer_to_server(self, self._server)
        if login is not None:
            login.add_to(self._server)
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(None).wait()

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def load(self, folder):
        """Put a recording's rows in; returns the execution's name."""
        execution = ParseDict(_read(folder, "execution.json"), execution_pb2.Execution())
        rows = _read(folder, "node_executions.json")
        name = execution.id.name
        self.executions[name] = execution
        self.nodes[name] = [
            (parent, ParseDict(row, node_execution_pb2.NodeExecution()))
            for row, parent in zip(rows, parents(rows), strict=True)
        ]
        self.tasks[name] = [
            ParseDict(row, task_execution_pb2.TaskExecution())
            for row in _read(folder, "task_executions.json")
        ]
        for child in sorted((folder / "children").glob("*")):
            self.load(child)
        return name

    def put(self, name, phase, **closure):
        """Store an execution without nodes."""
        identifier = identifier_pb2.WorkflowExecutionIdentifier(
            project="flytesnacks", domain="development", name=name
        )
        closure = execution_pb2.ExecutionClosure(phase=PHASES.Value(phase), **closure)
        closure.updated_at.GetCurrentTime()
        self.executions[name] = execution_pb2.Execution(id=identifier, closure=closure)

    def give(self, name, **outputs):
        """Store outputs, whole numbers."""
        primitive = literals_pb2.Primitive
        self.outputs[name] = literals_pb2.LiteralMap(
            literals={
                key: literals_pb2.Literal(
                    scalar=literals_pb2.Scalar(primitive=primitive(integer=value))
                )
                for key, value in outputs.items()
            }
        )

    def _called(self, method, request, context):
        with self._lock:
            self.calls.append(method)
            self.requests.append(request)
        if method in self.refuse:
            context.abort(*self.refuse[method])

    def GetVersion(self, request, context):
        self._called("GetVersion", request, context)
        version, build = self.version
        told = version_pb2.Version(Version=version, Build=build)
        return version_pb2.GetVersionResponse(control_plane_version=told)

    def GetExecution(self, request, context):
        self._called("GetExecution", request, context)
        if request.id.name not in self.executions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no execution {request.id.name}")
        return self.executions[request.id.name]

    def GetExecutionData(self, request, context):
        self._called("GetExecutionData", request, context)
        answer = execution_pb2.WorkflowExecutionGetDataResponse()
        if request.id.name in self.outputs:
            answer.full_outputs.CopyFrom(self.outputs[request.id.name])
        return answer

    def ListNodeExecutions(self, request, context):
        self._called("ListNodeExecutions", request, context)
        rows = [
            node
            for parent, node in self.nodes.get(request.workflow_execution_id.name, [])
            if (parent or "") == request.unique_parent_id
        ]
        page, token = _page(rows, request)
        return node_execution_pb2.NodeExecutionList(node_executions=page, token=token)

    def ListTaskExecutions(self, request, context):
        self._called("ListTaskExecutions", request, context)
        rows = [
            task
            for task in self.tasks.get(request.node_execution_id.execution_id.name, [])
            if task.id.node_execution_id == request.node_execution_id
        ]
        page, token = _page(rows, request)
        return task_execution_pb2.TaskExecutionList(task_executions=page, token=token)

    def GetExecutionMetrics(self, request, context):
        self._called("GetExecutionMetrics", request, context)
        if self.metrics is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "method GetExecutionMetrics not served")
        return self.metrics

    def CreateExecution(self, request, context):
        self._called("CreateExecution", request, context)
        self.put(request.name, "UNDEFINED")
        self.on_create(request)
        return execution_pb2.ExecutionCreateResponse(id=self.executions[request.name].id)

    def TerminateExecution(self, request, context):
        self._called("TerminateExecution", request, context)
        if request.id.name not in self.executions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no execution {request.id.name}")
        self.put(request.id.name, "ABORTED")
        self.on_terminate(request.id.name)
        return execution_pb2.ExecutionTerminateResponse()

    def GetLaunchPlan(self, request, context):
        self._called("GetLaunchPlan", request, context)
        if request.id.SerializeToString() not in self.registered:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no launch plan {request.id.name}")
        return launch_plan_pb2.LaunchPlan(id=request.id)

    def CreateTask(self, request, context):
        return self._create("CreateTask", request, context, task_pb2.TaskCreateResponse)

    def CreateWorkflow(self, request, context):
        return self._create("CreateWorkflow", request, context, workflow_pb2.WorkflowCreateResponse)

    def CreateLaunchPlan(self, request, context):
        return self._create(
            "CreateLaunchPlan", request, context, launch_plan_pb2.LaunchPlanCreateResponse
        )

    def _create(self, method, request, context, response):
        self._called(method, request, context)
        key = request.id.SerializeToString()
        if key in self.registered:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "exists")
        self.registered[key] = request
        return response()


def _page(rows, request):
    if request.limit <= 0:
        raise ValueError("limit must be positive")
    if request.sort_by.key != "created_at":
        raise ValueError("offset paging is not stable without an order")
    start = int(request.token or 0)
    page = rows[start : start + request.limit]
    return page, str(start + len(page)) if len(page) == request.limit else ""


def _read(folder, name):
    path = Path(folder) / name
    packed = path.with_name(f"{name}.gz")
    return json.loads(
        gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    )
