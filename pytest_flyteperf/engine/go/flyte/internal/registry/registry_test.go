package registry_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/registry"
)

func registered(t *testing.T) *registry.Registry {
	t.Helper()
	entities := fixture.Registry(t, fixture.Store(t), fixture.Blobs(t))
	fixture.Registered(t, entities)
	return entities
}

func TestRegisteringAgain(t *testing.T) {
	for sentence, test := range map[string]struct {
		again func(*registry.Registry) error
		want  codes.Code
	}{
		"the identical task": {func(r *registry.Registry) error {
			_, err := r.CreateTask(t.Context(), fixture.Task("t"))
			return err
		}, codes.AlreadyExists},
		"another task under its version": {func(r *registry.Registry) error {
			task := fixture.Task("t")
			task.Spec.Template.GetContainer().Image = "local/python:2"
			_, err := r.CreateTask(t.Context(), task)
			return err
		}, codes.InvalidArgument},
		"the identical workflow": {func(r *registry.Registry) error {
			_, err := r.CreateWorkflow(t.Context(), fixture.Workflow("w", "t"))
			return err
		}, codes.AlreadyExists},
		"another workflow under its version": {func(r *registry.Registry) error {
			workflow := fixture.Workflow("w", "t")
			workflow.Spec.Template.Nodes[0].Metadata.Name = "renamed"
			_, err := r.CreateWorkflow(t.Context(), workflow)
			return err
		}, codes.InvalidArgument},
		"the identical launch plan": {func(r *registry.Registry) error {
			_, err := r.CreateLaunchPlan(t.Context(), fixture.LaunchPlan("w", "w", fixture.Integer(0)))
			return err
		}, codes.AlreadyExists},
		"another launch plan under its version": {func(r *registry.Registry) error {
			_, err := r.CreateLaunchPlan(t.Context(), fixture.LaunchPlan("w", "w", fixture.Integer(1)))
			return err
		}, codes.InvalidArgument},
		"a workflow of a task that is not registered": {func(r *registry.Registry) error {
			_, err := r.CreateWorkflow(t.Context(), fixture.Workflow("v", "missing"))
			return err
		}, codes.InvalidArgument},
		"a launch plan of a workflow that is not registered": {func(r *registry.Registry) error {
			_, err := r.CreateLaunchPlan(t.Context(), fixture.LaunchPlan("v", "missing", nil))
			return err
		}, codes.NotFound},
		"a default for an input that the workflow does not have": {func(r *registry.Registry) error {
			plan := fixture.LaunchPlan("v", "w", fixture.Integer(0))
			plan.Spec.DefaultInputs.Parameters["b"] = plan.Spec.DefaultInputs.Parameters["a"]
			_, err := r.CreateLaunchPlan(t.Context(), plan)
			return err
		}, codes.InvalidArgument},
		"in a project that is not registered": {func(r *registry.Registry) error {
			task := fixture.Task("t")
			task.Id.Project = "nowhere"
			_, err := r.CreateTask(t.Context(), task)
			return err
		}, codes.InvalidArgument},
		"in a domain that does not exist": {func(r *registry.Registry) error {
			task := fixture.Task("t")
			task.Id.Domain = "holidays"
			_, err := r.CreateTask(t.Context(), task)
			return err
		}, codes.InvalidArgument},
		"an id of another kind": {func(r *registry.Registry) error {
			task := fixture.Task("t")
			task.Id.ResourceType = core.ResourceType_WORKFLOW
			_, err := r.CreateTask(t.Context(), task)
			return err
		}, codes.InvalidArgument},
		"an id with a NUL": {func(r *registry.Registry) error {
			task := fixture.Task("t\x00u")
			_, err := r.CreateTask(t.Context(), task)
			return err
		}, codes.InvalidArgument},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := test.again(registered(t)); status.Code(err) != test.want {
				t.Errorf("want %v, got %v", test.want, err)
			}
		})
	}
}

func TestWorkflowConflictsCarryTheirReason(t *testing.T) {
	entities := registered(t)
	_, err := entities.CreateWorkflow(t.Context(), fixture.Workflow("w", "t"))
	reason, ok := status.Convert(err).Details()[0].(*admin.CreateWorkflowFailureReason)
	if !ok || reason.GetExistsIdenticalStructure().GetId().GetName() != "w" {
		t.Errorf("got %v", status.Convert(err).Details())
	}
}

func TestWorkflowComesBackCompiled(t *testing.T) {
	workflow, err := registered(t).GetWorkflow(t.Context(), &admin.ObjectGetRequest{Id: fixture.Identifier(core.ResourceType_WORKFLOW, "w")})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, node := range workflow.GetClosure().GetCompiledWorkflow().GetPrimary().GetTemplate().GetNodes() {
		ids = append(ids, node.GetId())
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"end-node", "n0", "start-node"}) {
		t.Errorf("got %v", ids)
	}
}

func TestLaunchPlanLeavesOpenWhatNobodyGives(t *testing.T) {
	entities := registered(t)
	if _, err := entities.CreateLaunchPlan(t.Context(), fixture.LaunchPlan("open", "w", nil)); err != nil {
		t.Fatal(err)
	}
	plan, err := entities.GetLaunchPlan(t.Context(), &admin.ObjectGetRequest{Id: fixture.Identifier(core.ResourceType_LAUNCH_PLAN, "open")})
	if err != nil {
		t.Fatal(err)
	}
	if !plan.GetClosure().GetExpectedInputs().GetParameters()["a"].GetRequired() {
		t.Errorf("want a required input, got %v", plan.GetClosure().GetExpectedInputs())
	}
}

func TestOneVersionIsActive(t *testing.T) {
	entities := registered(t)
	second := fixture.LaunchPlan("w", "w", fixture.Integer(0))
	second.Id.Version = "2"
	if _, err := entities.CreateLaunchPlan(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	name := &admin.NamedEntityIdentifier{Project: "flytesnacks", Domain: "development", Name: "w"}
	if _, err := entities.GetActiveLaunchPlan(t.Context(), &admin.ActiveLaunchPlanRequest{Id: name}); status.Code(err) != codes.NotFound {
		t.Errorf("want none active at first, got %v", err)
	}
	for _, version := range []string{"1", "2"} {
		id := fixture.Identifier(core.ResourceType_LAUNCH_PLAN, "w")
		id.Version = version
		if _, err := entities.UpdateLaunchPlan(t.Context(), &admin.LaunchPlanUpdateRequest{Id: id, State: admin.LaunchPlanState_ACTIVE}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := entities.ListActiveLaunchPlans(t.Context(), &admin.ActiveLaunchPlanListRequest{Project: "flytesnacks", Domain: "development", Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if plans := list.GetLaunchPlans(); len(plans) != 1 || plans[0].GetId().GetVersion() != "2" {
		t.Errorf("want version 2 alone, got %v", plans)
	}
}

func TestNewestVersionIsFound(t *testing.T) {
	entities := registered(t)
	second := fixture.Task("t")
	second.Id.Version = "0"
	if _, err := entities.CreateTask(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	list, err := entities.ListTasks(t.Context(), &admin.ResourceListRequest{
		Id:     &admin.NamedEntityIdentifier{Project: "flytesnacks", Domain: "development", Name: "t"},
		Limit:  1,
		SortBy: &admin.Sort{Key: "id", Direction: admin.Sort_DESCENDING},
	})
	if err != nil || list.GetTasks()[0].GetId().GetVersion() != "0" {
		t.Errorf("want the task registered last, got %v, %v", list, err)
	}
}

func TestGeneratedWorkflowIsHidden(t *testing.T) {
	entities := registered(t)
	if _, err := entities.WorkflowForTask(t.Context(), fixture.Identifier(core.ResourceType_TASK, "t")); err != nil {
		t.Fatal(err)
	}
	list, err := entities.ListNamedEntities(t.Context(), &admin.NamedEntityListRequest{
		ResourceType: core.ResourceType_WORKFLOW, Project: "flytesnacks", Domain: "development", Limit: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	if entities := list.GetEntities(); len(entities) != 1 || entities[0].GetId().GetName() != "w" {
		t.Errorf("want w alone, got %v", entities)
	}
}
