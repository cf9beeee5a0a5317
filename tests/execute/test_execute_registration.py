import grpc
import pytest
from execute_workflows import pair, plus_one, single, with_dynamic, with_sub
from flytekit import ContainerTask, LaunchPlan, reference_launch_plan, task, workflow

from pytest_flyteperf.collect import Admin, AdminError
from pytest_flyteperf.errors import RegistrationError
from pytest_flyteperf.execute.registration import register
from tests.doubles.flyte import FakeFlyte


@task
def total(values: list[int]) -> int:
    return sum(values)


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


@pytest.fixture
def deployment(flyte):
    return flyte.deployment()


@pytest.fixture
def admin(deployment):
    with Admin(deployment) as admin:
        yield admin


def created(flyte):
    requests = zip(flyte.admin.calls, flyte.admin.requests, strict=True)
    return [(c, r.id.name.rpartition(".")[2]) for c, r in requests if c.startswith("Create")]


def test_tasks_come_before_the_workflow_and_its_launch_plan(flyte, deployment, admin):
    register(single, deployment, admin)

    expected = [
        ("CreateTask", "plus_one"),
        ("CreateWorkflow", "single"),
        ("CreateLaunchPlan", "single"),
    ]
    assert expected == created(flyte)


def test_a_sub_workflow_is_registered_before_its_parent(flyte, deployment, admin):
    register(with_sub, deployment, admin)

    names = [name for call, name in created(flyte) if call == "CreateWorkflow"]
    assert names == ["single", "with_sub"]


def test_a_launch_plan_of_a_node_is_registered(flyte, deployment, admin):
    inner = LaunchPlan.get_or_create(single, "single_plan")

    @workflow
    def outer(a: int = 0) -> int:
        return inner(a=a)

    register(outer, deployment, admin)

    assert ("CreateLaunchPlan", "single_plan") in created(flyte)


def test_again_costs_one_call_and_creates_nothing(flyte, deployment, admin):
    first = register(single, deployment, admin)
    flyte.admin.calls.clear()
    second = register(single, deployment, admin)

    assert flyte.admin.calls == ["GetLaunchPlan"]
    assert (second.launch_plan, second.created) == (first.launch_plan, 0)
    assert first.created == 3


def test_what_is_there_already_is_no_trouble(flyte, deployment, admin):
    launch_plan = register(single, deployment, admin).launch_plan
    del flyte.admin.registered[launch_plan.SerializeToString()]

    assert register(single, deployment, admin).created == 1


def test_another_workflow_has_another_version(deployment, admin):
    versions = {
        register(w, deployment, admin).launch_plan.version for w in (single, pair, with_sub)
    }
    assert len(versions) == 3


def test_a_dynamic_workflow_has_the_same_version_again(deployment, admin):
    first = register(with_dynamic, deployment, admin)

    assert register(with_dynamic, deployment, admin) == (first.launch_plan, 0, first.digest)


def test_a_node_behind_many_is_the_same_in_whatever_order_flytekit_lists_them(deployment, admin):
    def joined():
        @workflow
        def join(a: int) -> int:
            return total(values=[plus_one(a=a) for _ in range(8)])

        return join

    assert len({register(joined(), deployment, admin).digest for _ in range(5)}) == 1


def test_the_deployments_image_is_what_tasks_run_in(flyte, admin):
    register(single, flyte.deployment(image="local/other:7"), admin)

    tasks = [
        r for c, r in zip(flyte.admin.calls, flyte.admin.requests, strict=True) if c == "CreateTask"
    ]
    assert [t.spec.template.container.image for t in tasks] == ["local/other:7"]


def test_a_compile_error_is_one_line_with_the_workflows_name(flyte, deployment, admin):
    details = "failed to compile workflow\n Error 0: Code: MismatchingTypes"
    flyte.admin.refuse["CreateWorkflow"] = (grpc.StatusCode.INVALID_ARGUMENT, details)
    with pytest.raises(RegistrationError) as caught:
        register(single, deployment, admin)

    assert str(caught.value) == (
        "execute_workflows.single: workflow execute_workflows.single does not register: "
        "failed to compile workflow Error 0: Code: MismatchingTypes"
    )


def test_a_workflow_that_does_not_build_is_one_line(deployment, admin):
    @workflow
    def broken(a: int) -> int:
        return plus_one(b=a)

    with pytest.raises(RegistrationError, match=r"broken: does not serialize: ") as caught:
        register(broken, deployment, admin)
    assert "\n" not in str(caught.value)


def test_an_image_is_refused_where_tasks_are_processes(flyte, deployment, admin):
    shell = ContainerTask(name="shell", image="alpine:3", command=["sh", "-c", "true"])

    @workflow
    def in_alpine():
        shell()

    with pytest.raises(RegistrationError) as caught:
        register(in_alpine, deployment, admin)

    assert str(caught.value) == (
        "test_execute_registration.in_alpine: task shell runs in image alpine:3, and tasks are "
        "processes here, not containers; use --flyteperf-cluster kind or existing"
    )
    assert created(flyte) == []


def test_a_python_task_needs_no_image_of_its_own(flyte, deployment, admin):
    @task(container_image="ghcr.io/someone/image:1")
    def same(a: int) -> int:
        return a

    @workflow
    def in_an_image(a: int) -> int:
        return same(a=a)

    register(in_an_image, deployment, admin)

    assert ("CreateTask", "same") in created(flyte)


def test_a_task_is_refused_by_name(deployment, admin):
    with pytest.raises(RegistrationError, match=r"plus_one.*neither a flytekit workflow"):
        register(plus_one, deployment, admin)


def test_an_admin_that_is_away_is_reported(flyte, deployment, admin):
    flyte.admin.refuse["GetLaunchPlan"] = (grpc.StatusCode.UNAVAILABLE, "away")
    with pytest.raises(AdminError, match="GetLaunchPlan: UNAVAILABLE: away"):
        register(single, deployment, admin)


def test_a_reference_that_nobody_registered_is_refused(deployment, admin):
    @reference_launch_plan("flytesnacks", "development", "theirs", "v1")
    def theirs(a: int) -> int: ...

    with pytest.raises(RegistrationError, match="has no launch plan theirs of version v1"):
        register(theirs, deployment, admin)


def test_two_workflows_of_one_name_keep_their_own_defaults(flyte, deployment, admin):
    def made(default):
        @workflow
        def same(a: int = default) -> int:
            return plus_one(a=a)

        return same

    plans = {}
    for default in (1, 2):
        entity = made(default)
        launch_plan = register(entity, deployment, admin).launch_plan
        request = flyte.admin.registered[launch_plan.SerializeToString()]
        plans[default] = request.spec.default_inputs.parameters[
            "a"
        ].default.scalar.primitive.integer
    assert plans == {1: 1, 2: 2}


@pytest.mark.parametrize("entity", [single, with_dynamic])
def test_another_image_is_another_version_of_the_same_case(flyte, deployment, admin, entity):
    here = register(entity, deployment, admin)
    there = register(entity, flyte.deployment(image="local/other:7"), admin)

    assert here.launch_plan.version != there.launch_plan.version
    assert here.digest == there.digest


def test_another_flytekit_is_the_same_case(deployment, admin, monkeypatch):
    here = register(single, deployment, admin)
    monkeypatch.setattr("flytekit.__version__", "1.16.99")
    there = register(single, deployment, admin)

    assert here.launch_plan.version != there.launch_plan.version
    assert here.digest == there.digest


def test_another_workflow_is_another_case(deployment, admin):
    assert len({register(w, deployment, admin).digest for w in (single, pair, with_sub)}) == 3
