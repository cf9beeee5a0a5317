package executions_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"
	"github.com/flyteorg/flyte/flytepropeller/pkg/apis/flyteworkflow/v1alpha1"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/executions"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// cluster keeps what it was asked; onCreate runs while an object is being created.
type cluster struct {
	created  []*v1alpha1.FlyteWorkflow
	deleted  []string
	onCreate func() error
}

func (c *cluster) Create(_ context.Context, workflow *v1alpha1.FlyteWorkflow) error {
	c.created = append(c.created, workflow)
	if c.onCreate != nil {
		return c.onCreate()
	}
	return nil
}

func (c *cluster) Delete(_ context.Context, namespace, name string) error {
	c.deleted = append(c.deleted, namespace+"/"+name)
	return nil
}

type world struct {
	*executions.Service
	cluster *cluster
	events  *events.Service
	store   *store.Store
}

func newWorld(t *testing.T) world {
	t.Helper()
	db, blobs := fixture.Store(t), fixture.Blobs(t)
	entities := fixture.Registry(t, db, blobs)
	fixture.Registered(t, entities)
	there := &cluster{}
	with := settings.Settings{
		Admin:     settings.FlyteAdmin{MaxParallelism: 25, EventVersion: 2},
		Namespace: settings.NamespaceMapping{Template: "{{ project }}-{{ domain }}"},
	}
	now := func() time.Time { return fixture.Noon }
	launches := &inflight.Launches{}
	return world{executions.New(db, blobs, entities, there, launches, with, now), there, events.New(db, blobs, launches), db}
}

func request(name string, a *core.Literal) *admin.ExecutionCreateRequest {
	r := &admin.ExecutionCreateRequest{
		Project: "flytesnacks", Domain: "development", Name: name,
		Spec: &admin.ExecutionSpec{LaunchPlan: fixture.Identifier(core.ResourceType_LAUNCH_PLAN, "w")},
	}
	if a != nil {
		r.Inputs = &core.LiteralMap{Literals: map[string]*core.Literal{"a": a}}
	}
	return r
}

func id(name string) *core.WorkflowExecutionIdentifier {
	return &core.WorkflowExecutionIdentifier{Project: "flytesnacks", Domain: "development", Name: name}
}

func (w world) launch(t *testing.T, r *admin.ExecutionCreateRequest) {
	t.Helper()
	if _, err := w.CreateExecution(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (w world) get(t *testing.T, name string) *admin.Execution {
	t.Helper()
	execution, err := w.GetExecution(t.Context(), &admin.WorkflowExecutionGetRequest{Id: id(name)})
	if err != nil {
		t.Fatal(err)
	}
	return execution
}

func (w world) happen(t *testing.T, name string, phase core.WorkflowExecution_Phase, more ...func(*event.WorkflowExecutionEvent)) {
	t.Helper()
	e := &event.WorkflowExecutionEvent{ExecutionId: id(name), Phase: phase}
	for _, add := range more {
		add(e)
	}
	if _, err := w.events.CreateWorkflowEvent(t.Context(), &admin.WorkflowExecutionEventRequest{Event: e}); err != nil {
		t.Fatal(err)
	}
}

func TestObjectIsCreatedBeforeTheRow(t *testing.T) {
	w := newWorld(t)
	var seen error
	w.cluster.onCreate = func() error {
		_, seen = w.GetExecution(t.Context(), &admin.WorkflowExecutionGetRequest{Id: id("one")})
		return nil
	}
	w.launch(t, request("one", nil))
	if status.Code(seen) != codes.NotFound {
		t.Errorf("FlytePropeller may be faster than the row: want NotFound meanwhile, got %v", seen)
	}
	if got := w.get(t, "one").GetClosure().GetPhase(); got != core.WorkflowExecution_UNDEFINED {
		t.Errorf("want a fresh execution, got %v", got)
	}
}

func TestEventThatIsFasterThanTheRowWaitsForIt(t *testing.T) {
	w := newWorld(t)
	sent := make(chan error, 1)
	w.cluster.onCreate = func() error {
		go func() {
			_, err := w.events.CreateWorkflowEvent(t.Context(), &admin.WorkflowExecutionEventRequest{Event: &event.WorkflowExecutionEvent{
				ExecutionId: id("one"), Phase: core.WorkflowExecution_RUNNING,
			}})
			sent <- err
		}()
		return nil
	}
	w.launch(t, request("one", nil))
	if err := <-sent; err != nil {
		t.Errorf("want it recorded, got %v", err)
	}
	if got := w.get(t, "one").GetClosure().GetPhase(); got != core.WorkflowExecution_RUNNING {
		t.Errorf("want RUNNING, got %v", got)
	}
}

func TestObjectThatCannotBeCreatedLeavesAFailedExecution(t *testing.T) {
	w := newWorld(t)
	w.cluster.onCreate = func() error { return errors.New("no room") }
	w.launch(t, request("one", nil))
	closure := w.get(t, "one").GetClosure()
	if closure.GetPhase() != core.WorkflowExecution_FAILED || closure.GetError().GetKind() != core.ExecutionError_SYSTEM {
		t.Errorf("want a system failure, got %v", closure)
	}
}

func TestInputsAreDefaultedAndGiven(t *testing.T) {
	for sentence, test := range map[string]struct {
		given *core.Literal
		want  int64
	}{
		"the launch plan's default": {nil, 0},
		"the user's value":          {fixture.Integer(7), 7},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.launch(t, request("one", test.given))
			data, err := w.GetExecutionData(t.Context(), &admin.WorkflowExecutionGetDataRequest{Id: id("one")})
			if err != nil {
				t.Fatal(err)
			}
			if got := data.GetFullInputs().GetLiterals()["a"].GetScalar().GetPrimitive().GetInteger(); got != test.want {
				t.Errorf("want %d, got %d", test.want, got)
			}
		})
	}
}

func TestRequestsAreRefused(t *testing.T) {
	text := &core.Literal{Value: &core.Literal_Scalar{Scalar: &core.Scalar{Value: &core.Scalar_Primitive{
		Primitive: &core.Primitive{Value: &core.Primitive_StringValue{StringValue: "seven"}},
	}}}}
	for sentence, test := range map[string]struct {
		change func(*admin.ExecutionCreateRequest)
		want   codes.Code
	}{
		"a value of another type":           {func(r *admin.ExecutionCreateRequest) { r.Inputs = literals("a", text) }, codes.InvalidArgument},
		"an input that does not exist":      {func(r *admin.ExecutionCreateRequest) { r.Inputs = literals("b", text) }, codes.InvalidArgument},
		"an input without a value":          {func(r *admin.ExecutionCreateRequest) { r.Inputs = literals("a", &core.Literal{}) }, codes.InvalidArgument},
		"a name that Kubernetes cannot use": {func(r *admin.ExecutionCreateRequest) { r.Name = "9_lives" }, codes.InvalidArgument},
		"a label that Kubernetes cannot use": {func(r *admin.ExecutionCreateRequest) {
			r.Spec.Labels = &admin.Labels{Values: map[string]string{"no spaces": "x"}}
		}, codes.InvalidArgument},
		"a launch plan that is not registered": {func(r *admin.ExecutionCreateRequest) { r.Spec.LaunchPlan.Name = "missing" }, codes.NotFound},
		"a workflow instead of a launch plan": {func(r *admin.ExecutionCreateRequest) {
			r.Spec.LaunchPlan.ResourceType = core.ResourceType_WORKFLOW
		}, codes.InvalidArgument},
		"a project that is not registered": {func(r *admin.ExecutionCreateRequest) { r.Project = "nowhere" }, codes.InvalidArgument},
		"a name that is taken":             {func(r *admin.ExecutionCreateRequest) { r.Name = "taken" }, codes.AlreadyExists},
		"a parent that does not exist": {func(r *admin.ExecutionCreateRequest) {
			r.Spec.Metadata = &admin.ExecutionMetadata{ParentNodeExecution: &core.NodeExecutionIdentifier{NodeId: "n0", ExecutionId: id("taken")}}
		}, codes.NotFound},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.launch(t, request("taken", nil))
			r := request("one", nil)
			test.change(r)
			if _, err := w.CreateExecution(t.Context(), r); status.Code(err) != test.want {
				t.Errorf("want %v, got %v", test.want, err)
			}
		})
	}
}

func literals(name string, literal *core.Literal) *core.LiteralMap {
	return &core.LiteralMap{Literals: map[string]*core.Literal{name: literal}}
}

func TestParallelismOfTheRequestComesFirst(t *testing.T) {
	w := newWorld(t)
	w.launch(t, request("platform", nil))
	r := request("own", nil)
	r.Spec.MaxParallelism = 3
	w.launch(t, r)
	for i, want := range []uint32{25, 3} {
		if got := w.cluster.created[i].ExecutionConfig.MaxParallelism; got != want {
			t.Errorf("want %d, got %d", want, got)
		}
	}
	if got := w.get(t, "own").GetSpec().GetMaxParallelism(); got != 3 {
		t.Errorf("want it in the specification too, got %d", got)
	}
}

func TestChildKnowsItsDepth(t *testing.T) {
	w := newWorld(t)
	w.launch(t, request("parent", nil))
	node := &core.NodeExecutionIdentifier{NodeId: "n0", ExecutionId: id("parent")}
	_, err := w.events.CreateNodeEvent(t.Context(), &admin.NodeExecutionEventRequest{
		Event: &event.NodeExecutionEvent{Id: node, Phase: core.NodeExecution_QUEUED},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := request("child", nil)
	r.Spec.Metadata = &admin.ExecutionMetadata{Mode: admin.ExecutionMetadata_CHILD_WORKFLOW, ParentNodeExecution: node}
	w.launch(t, r)
	if got := w.get(t, "child").GetSpec().GetMetadata().GetNesting(); got != 1 {
		t.Errorf("want 1, got %d", got)
	}
}

func TestRepeatingAnExecution(t *testing.T) {
	w := newWorld(t)
	w.launch(t, request("one", fixture.Integer(7)))
	if _, err := w.RelaunchExecution(t.Context(), &admin.ExecutionRelaunchRequest{Id: id("one"), Name: "again", OverwriteCache: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RecoverExecution(t.Context(), &admin.ExecutionRecoverRequest{Id: id("one"), Name: "recovered"}); err != nil {
		t.Fatal(err)
	}
	again, recovered := w.cluster.created[1], w.cluster.created[2]
	if !again.ExecutionConfig.OverwriteCache || again.ExecutionConfig.RecoveryExecution.WorkflowExecutionIdentifier != nil {
		t.Errorf("want the cache overwritten and nothing recovered, got %v", again.ExecutionConfig)
	}
	if got := recovered.ExecutionConfig.RecoveryExecution.GetName(); got != "one" {
		t.Errorf("want results of one taken over, got %q", got)
	}
	for _, object := range w.cluster.created {
		if got := object.Inputs.GetLiterals()["a"].GetScalar().GetPrimitive().GetInteger(); got != 7 {
			t.Errorf("%s: want the user's input, got %d", object.Name, got)
		}
	}
	if got := w.get(t, "recovered").GetSpec().GetMetadata().GetMode(); got != admin.ExecutionMetadata_RECOVERED {
		t.Errorf("got %v", got)
	}
}

func TestTerminating(t *testing.T) {
	w := newWorld(t)
	w.launch(t, request("one", nil))
	w.happen(t, "one", core.WorkflowExecution_RUNNING)
	if _, err := w.TerminateExecution(t.Context(), &admin.ExecutionTerminateRequest{Id: id("one"), Cause: "enough"}); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, "one").GetClosure().GetPhase(); got != core.WorkflowExecution_ABORTING {
		t.Errorf("want ABORTING until FlytePropeller says more, got %v", got)
	}
	if len(w.cluster.deleted) != 1 || w.cluster.deleted[0] != "flytesnacks-development/one" {
		t.Errorf("want the object deleted, got %v", w.cluster.deleted)
	}
	w.happen(t, "one", core.WorkflowExecution_ABORTED, func(e *event.WorkflowExecutionEvent) {
		e.OutputResult = &event.WorkflowExecutionEvent_Error{Error: &core.ExecutionError{Message: "aborted"}}
	})
	closure := w.get(t, "one").GetClosure()
	if closure.GetPhase() != core.WorkflowExecution_ABORTED || closure.GetAbortMetadata().GetCause() != "enough" {
		t.Errorf("the cause outlives the last event: got %v", closure)
	}
	_, err := w.TerminateExecution(t.Context(), &admin.ExecutionTerminateRequest{Id: id("one")})
	if status.Code(err) != codes.FailedPrecondition || len(w.cluster.deleted) != 1 {
		t.Errorf("want a refusal after the end, got %v", err)
	}
}

func TestArchivedExecutionsAreListedOnDemand(t *testing.T) {
	w := newWorld(t)
	w.launch(t, request("kept", nil))
	w.launch(t, request("archived", nil))
	_, err := w.UpdateExecution(t.Context(), &admin.ExecutionUpdateRequest{Id: id("archived"), State: admin.ExecutionState_EXECUTION_ARCHIVED})
	if err != nil {
		t.Fatal(err)
	}
	for filters, want := range map[string]string{"": "kept", "eq(state,1)": "archived", "eq(workflow.name,w)": "kept"} {
		list, err := w.ListExecutions(t.Context(), &admin.ResourceListRequest{
			Id: &admin.NamedEntityIdentifier{Project: "flytesnacks", Domain: "development"}, Limit: 5, Filters: filters,
		})
		if err != nil {
			t.Fatal(err)
		}
		if all := list.GetExecutions(); len(all) != 1 || all[0].GetId().GetName() != want {
			t.Errorf("%q: want %s alone, got %v", filters, want, all)
		}
	}
}

func TestLaunchPlanMayLimitItsExecutions(t *testing.T) {
	db, blobs := fixture.Store(t), fixture.Blobs(t)
	entities := fixture.Registry(t, db, blobs)
	fixture.Registered(t, entities)
	plan := fixture.LaunchPlan("single", "w", fixture.Integer(0))
	plan.Spec.ConcurrencyPolicy = &admin.ConcurrencyPolicy{Max: 1, Behavior: admin.ConcurrencyLimitBehavior_CONCURRENCY_LIMIT_BEHAVIOR_SKIP}
	if _, err := entities.CreateLaunchPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	launches := &inflight.Launches{}
	w := world{executions.New(db, blobs, entities, &cluster{}, launches, settings.Settings{}, time.Now), nil, events.New(db, blobs, launches), db}
	limited := func(name string) *admin.ExecutionCreateRequest {
		r := request(name, nil)
		r.Spec.LaunchPlan.Name = "single"
		return r
	}
	w.launch(t, limited("first"))
	w.happen(t, "first", core.WorkflowExecution_RUNNING)
	if _, err := w.CreateExecution(t.Context(), limited("second")); status.Code(err) != codes.AlreadyExists {
		t.Errorf("want AlreadyExists while the first runs, got %v", err)
	}
	w.happen(t, "first", core.WorkflowExecution_SUCCEEDED)
	w.launch(t, limited("third"))
}

func TestLongMessagesAreShortInLists(t *testing.T) {
	if got := executions.Shorten("é" + string(make([]byte, 97)) + "é"); len(got) != 99 {
		t.Errorf("want a cut before the character that does not fit, got %d bytes", len(got))
	}
}
