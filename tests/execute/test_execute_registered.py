import grpc
import pytest
from flyteidl.admin import launch_plan_pb2
from flyteidl.core import identifier_pb2, interface_pb2, types_pb2

from pytest_flyteperf.collect import AdminError
from pytest_flyteperf.errors import RegistrationError
from pytest_flyteperf.execute import RegisteredPlan
from pytest_flyteperf.execute.literals import to_literals, to_python
from pytest_flyteperf.execute.registered import find
from pytest_flyteperf.execute.registration import register
from tests.doubles.flyte import FakeFlyte


class Plans:
    """FlyteAdmin's answers about launch plans, newest first."""

    def __init__(self, *versions):
        self.versions = versions

    def call(self, method, request):
        found = [v for v in self.versions if method == "ListLaunchPlans" or v == request.id.version]
        known = request.id.name == "etl.nightly" and request.id.project == "flytesnacks"
        if method == "ListLaunchPlans":
            assert request.sort_by.key == "created_at"
            listed = [plan(v) for v in found[: request.limit] if known]
            return launch_plan_pb2.LaunchPlanList(launch_plans=listed)
        if not found or not known:
            raise AdminError("double: GetLaunchPlan", grpc.StatusCode.NOT_FOUND, "missing")
        return plan(found[0])


def plan(version, kind=types_pb2.INTEGER):
    variable = interface_pb2.Variable(type=types_pb2.LiteralType(simple=kind))
    identifier = identifier_pb2.Identifier(
        resource_type=identifier_pb2.LAUNCH_PLAN, name="etl.nightly", version=version
    )
    closure = launch_plan_pb2.LaunchPlanClosure(
        expected_inputs=interface_pb2.ParameterMap(
            parameters={"day": interface_pb2.Parameter(var=variable, required=True)}
        ),
        expected_outputs=interface_pb2.VariableMap(variables={"o0": variable}),
    )
    return launch_plan_pb2.LaunchPlan(id=identifier, closure=closure)


def wanted(name="etl.nightly", version=None, project=None):
    return RegisteredPlan(name=name, version=version, project=project, domain=None)


@pytest.fixture
def deployment(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte.deployment()


def test_the_newest_is_taken_where_no_version_is_given(deployment):
    found = find(wanted(), deployment, Plans("v2", "v1"))

    assert found.launch_plan.version == "v2"
    assert register(found, deployment, None).created == 0


def test_inputs_and_outputs_have_the_types_that_flyteadmin_knows(deployment):
    found = find(wanted(version="v1"), deployment, Plans("v2", "v1"))
    literals = to_literals(found, {"day": 7}, deployment)

    assert literals.literals["day"].scalar.primitive.integer == 7
    literals.literals["o0"].CopyFrom(literals.literals.pop("day"))
    assert to_python(found, literals, deployment) == 7
    with pytest.raises(RegistrationError, match="nightly: inputs do not fit"):
        to_literals(found, {"day": "seven"}, deployment)
    with pytest.raises(RegistrationError, match="nightly: has no input night"):
        to_literals(found, {"night": 7}, deployment)


def test_each_version_is_a_case_of_its_own(deployment):
    digests = {find(wanted(version=v), deployment, Plans("v2", "v1")).digest for v in ("v1", "v2")}

    assert len(digests) == 2


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (wanted("nobody.knows"), "nobody.knows: no launch plan or workflow of this name is"),
        (wanted(version="v9"), "etl.nightly: .* of this name and version v9 is registered in"),
        (wanted(project="elsewhere"), "registered in elsewhere/development; register it"),
    ],
)
def test_what_is_not_registered_is_one_line(deployment, what, said):
    with pytest.raises(RegistrationError, match=said):
        find(what, deployment, Plans("v1"))
