"""Registration of a workflow as flytekit does it, without an image: serialize, then create.

The version is a digest of what flytekit serialized, so an unchanged workflow is registered once
per deployment and a changed one never meets its older self.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

import grpc

from pytest_flyteperf.collect import Admin, AdminError
from pytest_flyteperf.errors import RegistrationError
from pytest_flyteperf.execute.code import FOLDER, send
from pytest_flyteperf.execute.registered import DIGEST_LENGTH, FoundPlan
from pytest_flyteperf.model import Deployment

NO_VERSION = "v0000000000"
"""Stands for the version while its digest is computed; as long as a version."""

SERIALIZATION_CONTEXT = "_F_SS_C"
"""Variable in which flytekit hands image and version on to what a dynamic task compiles."""
FAST_EXECUTE = "pyflyte-fast-execute"
"""First argument of a task whose code is sent along; the task's own command follows a `--`."""
FLYTEKIT = "pyflyte-"
"""Begins the program of every task that is Python: any environment with flytekit runs it."""


class Registered(NamedTuple):
    """A launch plan that can be executed."""

    launch_plan: Any
    """`flyteidl.core.Identifier`."""
    created: int
    """How many entities had to be created for it; 0 if all were there."""
    digest: str
    """Of what the case runs, whatever image and release of flytekit run it."""


def register(entity: Any, deployment: Deployment, admin: Admin) -> Registered:
    """Make a workflow or launch plan executable on a deployment.

    Tasks, sub-workflows and launch plans that it refers to are registered with it, for a dynamic
    task those that its `node_dependency_hints` name. A reference launch plan only has to exist.

    Raises:
        RegistrationError: it does not serialize or compile, or FlyteAdmin refused it; one line
            with the workflow's name and the reason.
    """
    from flyteidl.core import identifier_pb2
    from flytekit.core.launch_plan import LaunchPlan, ReferenceLaunchPlan
    from flytekit.core.workflow import WorkflowBase

    if isinstance(entity, FoundPlan):
        return Registered(entity.launch_plan, 0, entity.digest)
    if isinstance(entity, ReferenceLaunchPlan):
        identifier = entity.id.to_flyte_idl()
        if not _exists(admin, identifier):
            raise RegistrationError(
                f"{identifier.name}: FlyteAdmin has no launch plan {identifier.name} of version "
                f"{identifier.version} in {identifier.project}/{identifier.domain}; register it"
            )
        return Registered(identifier, 0, identifier.version)
    if not isinstance(entity, WorkflowBase | LaunchPlan):
        raise RegistrationError(
            f"{_name(entity)}: neither a flytekit workflow nor a launch plan; give one of these"
        )
    unversioned = _serialize(entity, deployment, NO_VERSION)
    digest = _digest([_essential(request) for request in unversioned])[:DIGEST_LENGTH]
    version = "v" + _digest(unversioned)[: len(NO_VERSION) - 1]
    launch_plan = identifier_pb2.Identifier()
    launch_plan.CopyFrom(unversioned[-1].id)
    launch_plan.version = version
    if _exists(admin, launch_plan):
        return Registered(launch_plan, 0, digest)
    requests = _serialize(entity, deployment, version)
    created = sum(_create(admin, entity.name, request) for request in requests)
    return Registered(launch_plan, created, digest)


def _serialize(entity: Any, deployment: Deployment, version: str) -> list[Any]:
    """Create requests in the order in which they depend on each other, the launch plan last."""
    from flytekit.configuration import (
        FastSerializationSettings,
        Image,
        ImageConfig,
        SerializationSettings,
    )
    from flytekit.core.context_manager import FlyteContextManager
    from flytekit.core.launch_plan import LaunchPlan
    from flytekit.tools.translator import get_serializable

    image = Image.look_up_image_info("default", deployment.image)
    fast = None
    if deployment.ships_code:
        fast = FastSerializationSettings(
            enabled=True, destination_dir=FOLDER, distribution_location=send(deployment)
        )
    settings = SerializationSettings(
        image_config=ImageConfig(default_image=image, images=[image]),
        project=deployment.project,
        domain=deployment.domain,
        version=version,
        fast_serialization_settings=fast,
    )
    serialized: OrderedDict[Any, Any] = OrderedDict()
    try:
        get_serializable(serialized, settings, entity)
        if not isinstance(entity, LaunchPlan):
            context = FlyteContextManager.current_context()
            default = LaunchPlan.get_default_launch_plan(context, entity)
            if default.workflow is not entity:
                # flytekit keeps launch plans by name: this one is of another workflow's.
                LaunchPlan.CACHE.pop(entity.name)
                default = LaunchPlan.get_default_launch_plan(context, entity)
            get_serializable(serialized, settings, default)
        requests = [r for e in serialized.values() if (r := _request(e)) is not None]
    except Exception as error:
        raise RegistrationError(
            f"{_name(entity)}: does not serialize: {_one_line(error)}"
        ) from error
    if not deployment.ships_code:
        _refuse_images(_name(entity), requests)
    return requests


def _refuse_images(workflow: str, requests: Iterable[Any]) -> None:
    """Refuse a task whose program is in an image, where tasks are processes of this machine.

    Raises:
        RegistrationError: there is one.
    """
    from flyteidl.admin import task_pb2

    for request in requests:
        if not isinstance(request, task_pb2.TaskCreateRequest):
            continue
        container = request.spec.template.container
        program = (*container.command, *container.args)[:1]
        if container.image and not "".join(program).startswith(FLYTEKIT):
            raise RegistrationError(
                f"{workflow}: task {request.id.name} runs in image {container.image}, and tasks "
                f"are processes here, not containers; use --flyteperf-cluster kind or existing"
            )


def _request(serialized: Any) -> Any | None:
    """Create request of a serialized entity; None for what is not registered by itself."""
    from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
    from flytekit.models.admin.workflow import WorkflowSpec
    from flytekit.models.launch_plan import LaunchPlan
    from flytekit.models.task import TaskSpec

    if isinstance(serialized, TaskSpec):
        spec = serialized.to_flyte_idl()
        return task_pb2.TaskCreateRequest(id=spec.template.id, spec=spec)
    if isinstance(serialized, WorkflowSpec):
        spec = serialized.to_flyte_idl()
        for template in (spec.template, *spec.sub_workflows):
            _settle(template.nodes)
        return workflow_pb2.WorkflowCreateRequest(id=spec.template.id, spec=spec)
    if isinstance(serialized, LaunchPlan):
        plan = serialized.to_flyte_idl()
        return launch_plan_pb2.LaunchPlanCreateRequest(id=plan.id, spec=plan.spec)
    return None


def _settle(nodes: Iterable[Any]) -> None:
    """Sort each node's upstream nodes, branches' own included: flytekit lists a set of them."""
    for node in nodes:
        node.upstream_node_ids.sort()
        if node.HasField("branch_node"):
            choice = node.branch_node.if_else
            _settle(case.then_node for case in (choice.case, *choice.other))
            if choice.HasField("else_node"):
                _settle((choice.else_node,))


def _digest(requests: list[Any]) -> str:
    digest = hashlib.sha256()
    for request in requests:
        digest.update(type(request).__name__.encode())
        digest.update(request.SerializeToString(deterministic=True))
    return digest.hexdigest()


def _essential(request: Any) -> Any:
    """Reduce a create request to what makes the case: not its image, flytekit or archive."""
    from flyteidl.admin import task_pb2

    if not isinstance(request, task_pb2.TaskCreateRequest):
        return request
    reduced = task_pb2.TaskCreateRequest()
    reduced.CopyFrom(request)
    template = reduced.spec.template
    template.metadata.runtime.ClearField("version")
    if template.HasField("container"):
        template.container.ClearField("image")
        arguments = list(template.container.args)
        if arguments[:1] == [FAST_EXECUTE]:
            del template.container.args[: arguments.index("--") + 1]
        kept = [pair for pair in template.container.env if pair.key != SERIALIZATION_CONTEXT]
        del template.container.env[:]
        template.container.env.extend(kept)
    return reduced


def _exists(admin: Admin, identifier: Any) -> bool:
    from flyteidl.admin import common_pb2

    try:
        admin.call("GetLaunchPlan", common_pb2.ObjectGetRequest(id=identifier))
    except AdminError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return False
        raise
    return True


def _create(admin: Admin, workflow: str, request: Any) -> int:
    method = type(request).__name__.removesuffix("CreateRequest")
    try:
        admin.call(f"Create{method}", request)
    except AdminError as error:
        if error.code is grpc.StatusCode.ALREADY_EXISTS:
            return 0
        raise RegistrationError(
            f"{workflow}: {method.lower()} {request.id.name} does not register: {error.reason}"
        ) from error
    return 1


def _name(entity: Any) -> str:
    return str(getattr(entity, "name", entity))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
