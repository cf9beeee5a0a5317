"""Workflows and launch plans that are registered already, by name and version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc

from pytest_flyteperf.collect import Admin, AdminError
from pytest_flyteperf.errors import RegistrationError
from pytest_flyteperf.model import Deployment

DIGEST_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class RegisteredPlan:
    """A launch plan that FlyteAdmin knows; a workflow's own has the workflow's name."""

    name: str
    version: str | None
    """None for the newest."""
    project: str | None
    domain: str | None
    """None for the deployment's."""


class FoundPlan(NamedTuple):
    """A registered launch plan, as flytekit would know it."""

    name: str
    launch_plan: Any
    """`flyteidl.core.Identifier`."""
    python_interface: Any
    """Of flytekit: the Python types that its inputs and outputs stand for."""
    digest: str


def find(plan: RegisteredPlan, deployment: Deployment, admin: Admin) -> FoundPlan:
    """Look a registered launch plan up.

    Raises:
        RegistrationError: FlyteAdmin has none of this name and version.
    """
    from flytekit.core.interface import Interface
    from flytekit.core.type_engine import TypeEngine
    from flytekit.models.interface import ParameterMap, VariableMap

    found = _closure(plan, deployment, admin)
    inputs = ParameterMap.from_flyte_idl(found.closure.expected_inputs).parameters
    outputs = VariableMap.from_flyte_idl(found.closure.expected_outputs).variables
    variables = {name: parameter.var for name, parameter in inputs.items()}
    try:
        interface = Interface(
            TypeEngine.guess_python_types(variables), TypeEngine.guess_python_types(outputs)
        )
    except ValueError as error:
        raise RegistrationError(
            f"{plan.name}: its types are none that Python has: {' '.join(str(error).split())}"
        ) from error
    digest = hashlib.sha256(found.id.SerializeToString(deterministic=True)).hexdigest()
    return FoundPlan(plan.name, found.id, interface, digest[:DIGEST_LENGTH])


def _closure(plan: RegisteredPlan, deployment: Deployment, admin: Admin) -> Any:
    from flyteidl.admin import common_pb2
    from flyteidl.core import identifier_pb2

    project = plan.project or deployment.project
    domain = plan.domain or deployment.domain
    absent = RegistrationError(
        f"{plan.name}: no launch plan or workflow of this name"
        f"{f' and version {plan.version}' if plan.version else ''} is registered in "
        f"{project}/{domain}; register it, or correct the name"
    )
    if plan.version is None:
        newest = common_pb2.ResourceListRequest(
            id=common_pb2.NamedEntityIdentifier(project=project, domain=domain, name=plan.name),
            limit=1,
            sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
        )
        found = admin.call("ListLaunchPlans", newest).launch_plans
        if not found:
            raise absent
        return found[0]
    identifier = identifier_pb2.Identifier(
        resource_type=identifier_pb2.LAUNCH_PLAN,
        project=project,
        domain=domain,
        name=plan.name,
        version=plan.version,
    )
    try:
        return admin.call("GetLaunchPlan", common_pb2.ObjectGetRequest(id=identifier))
    except AdminError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            raise absent from None
        raise
