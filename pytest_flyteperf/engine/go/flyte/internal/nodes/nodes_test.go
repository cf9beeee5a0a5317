package nodes_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/nodes"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

var run = &core.WorkflowExecutionIdentifier{Project: "flytesnacks", Domain: "development", Name: "run"}

func id(node string) *core.NodeExecutionIdentifier {
	return &core.NodeExecutionIdentifier{NodeId: node, ExecutionId: run}
}

type world struct {
	*nodes.Service
	events *events.Service
	blobs  *blob.Store
}

func newWorld(t *testing.T) world {
	t.Helper()
	db, blobs := fixture.Store(t), fixture.Blobs(t)
	err := db.Update(func(tx *store.Tx) error {
		return records.Executions.Insert(tx, records.ExecutionKey(run), records.Execution{ID: store.Of(run), Closure: store.Of(&admin.ExecutionClosure{})})
	})
	if err != nil {
		t.Fatal(err)
	}
	return world{nodes.New(db, blobs), events.New(db, blobs, &inflight.Launches{}), blobs}
}

func (w world) send(t *testing.T, node, parent string, phase core.NodeExecution_Phase, more ...func(*event.NodeExecutionEvent)) error {
	t.Helper()
	e := &event.NodeExecutionEvent{Id: id(node), Phase: phase, EventVersion: 1}
	if parent != "" {
		e.ParentNodeMetadata = &event.ParentNodeExecutionMetadata{NodeId: parent}
	}
	for _, add := range more {
		add(e)
	}
	_, err := w.events.CreateNodeEvent(t.Context(), &admin.NodeExecutionEventRequest{Event: e})
	return err
}

func (w world) must(t *testing.T, node, parent string, phase core.NodeExecution_Phase, more ...func(*event.NodeExecutionEvent)) {
	t.Helper()
	if err := w.send(t, node, parent, phase, more...); err != nil {
		t.Fatal(err)
	}
}

func (w world) list(t *testing.T, parent string) (names []string, byName map[string]*admin.NodeExecution) {
	t.Helper()
	list, err := w.ListNodeExecutions(t.Context(), &admin.NodeExecutionListRequest{WorkflowExecutionId: run, UniqueParentId: parent, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	byName = map[string]*admin.NodeExecution{}
	for _, node := range list.GetNodeExecutions() {
		names = append(names, node.GetId().GetNodeId())
		byName[node.GetId().GetNodeId()] = node
	}
	return names, byName
}

func TestNodesAreListedLevelByLevel(t *testing.T) {
	w := newWorld(t)
	w.must(t, "n0", "", core.NodeExecution_QUEUED)
	w.must(t, "n1", "", core.NodeExecution_QUEUED)
	w.must(t, "n0-0-a", "n0", core.NodeExecution_QUEUED)
	w.must(t, "n0-0-a-0-b", "n0-0-a", core.NodeExecution_QUEUED)
	for parent, want := range map[string][]string{"": {"n0", "n1"}, "n0": {"n0-0-a"}, "n0-0-a": {"n0-0-a-0-b"}, "n1": nil} {
		if got, _ := w.list(t, parent); !slices.Equal(got, want) {
			t.Errorf("below %q: want %v, got %v", parent, want, got)
		}
	}
}

func TestBranchIsAParentInListsOnly(t *testing.T) {
	w := newWorld(t)
	w.must(t, "n0", "", core.NodeExecution_QUEUED)
	w.must(t, "n0-0-n0-n0", "n0", core.NodeExecution_QUEUED)
	if _, listed := w.list(t, ""); !listed["n0"].GetMetadata().GetIsParentNode() {
		t.Error("want a parent in the list")
	}
	node, err := w.GetNodeExecution(t.Context(), &admin.NodeExecutionGetRequest{Id: id("n0")})
	if err != nil || node.GetMetadata().GetIsParentNode() {
		t.Errorf("want no parent by itself, got %v, %v", node, err)
	}
}

func TestMadeWorkflowOfADynamicNodeIsKept(t *testing.T) {
	w := newWorld(t)
	made := fixture.Identifier(core.ResourceType_WORKFLOW, "made")
	closure := &core.CompiledWorkflowClosure{Primary: &core.CompiledWorkflow{Template: &core.WorkflowTemplate{Id: made}}}
	w.must(t, "n0", "", core.NodeExecution_RUNNING)
	if _, err := w.GetDynamicNodeWorkflow(t.Context(), &admin.GetDynamicNodeWorkflowRequest{Id: id("n0")}); status.Code(err) != codes.NotFound {
		t.Errorf("want NotFound before, got %v", err)
	}
	w.must(t, "n0", "", core.NodeExecution_DYNAMIC_RUNNING, func(e *event.NodeExecutionEvent) {
		e.IsParent, e.IsDynamic = true, true
		e.TargetMetadata = &event.NodeExecutionEvent_TaskNodeMetadata{TaskNodeMetadata: &event.TaskNodeMetadata{
			DynamicWorkflow: &event.DynamicWorkflowNodeMetadata{Id: made, CompiledWorkflow: closure, DynamicJobSpecUri: "s3://futures"},
		}}
	})
	w.must(t, "n0", "", core.NodeExecution_SUCCEEDED)
	data, err := w.GetNodeExecutionData(t.Context(), &admin.NodeExecutionGetDataRequest{Id: id("n0")})
	if err != nil {
		t.Fatal(err)
	}
	if got := data.GetDynamicWorkflow(); got.GetId().GetName() != "made" || got.GetDynamicJobSpecUri() != "s3://futures" {
		t.Errorf("got %v", got)
	}
}

func TestEventsOfWhatIsNotThereAreNotFound(t *testing.T) {
	w := newWorld(t)
	elsewhere := func(e *event.NodeExecutionEvent) {
		e.Id = &core.NodeExecutionIdentifier{NodeId: "n0", ExecutionId: &core.WorkflowExecutionIdentifier{Project: "p", Domain: "d", Name: "gone"}}
	}
	if err := w.send(t, "n0", "", core.NodeExecution_QUEUED, elsewhere); status.Code(err) != codes.NotFound {
		t.Errorf("a node of no execution: got %v", err)
	}
	if err := w.send(t, "n1", "n0", core.NodeExecution_QUEUED); status.Code(err) != codes.NotFound {
		t.Errorf("a node below no node: got %v", err)
	}
	if err := w.sendTask(t, "n0", 0); status.Code(err) != codes.NotFound {
		t.Errorf("a task of no node: got %v", err)
	}
}

func (w world) sendTask(t *testing.T, node string, attempt uint32) error {
	t.Helper()
	_, err := w.events.CreateTaskEvent(t.Context(), &admin.TaskExecutionEventRequest{Event: &event.TaskExecutionEvent{
		TaskId: fixture.Identifier(core.ResourceType_TASK, "t"), ParentNodeExecutionId: id(node), RetryAttempt: attempt,
		Phase: core.TaskExecution_QUEUED,
	}})
	return err
}

func TestAttemptsAreListedInOrder(t *testing.T) {
	w := newWorld(t)
	w.must(t, "n1", "", core.NodeExecution_QUEUED)
	w.must(t, "n10", "", core.NodeExecution_QUEUED)
	for _, attempt := range []uint32{2, 10, 0} {
		if err := w.sendTask(t, "n1", attempt); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.sendTask(t, "n10", 7); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListTaskExecutions(t.Context(), &admin.TaskExecutionListRequest{
		NodeExecutionId: id("n1"), Limit: 10, SortBy: &admin.Sort{Key: "retry_attempt", Direction: admin.Sort_ASCENDING},
	})
	if err != nil {
		t.Fatal(err)
	}
	var attempts []uint32
	for _, task := range list.GetTaskExecutions() {
		attempts = append(attempts, task.GetId().GetRetryAttempt())
	}
	if !slices.Equal(attempts, []uint32{0, 2, 10}) {
		t.Errorf("got %v", attempts)
	}
}

func TestLiteralsWithinAnEventAreMovedToTheBlobStore(t *testing.T) {
	w := newWorld(t)
	w.must(t, "n0", "", core.NodeExecution_SUCCEEDED, func(e *event.NodeExecutionEvent) {
		e.OutputResult = &event.NodeExecutionEvent_OutputData{OutputData: &core.LiteralMap{Literals: map[string]*core.Literal{"o0": fixture.Integer(7)}}}
	})
	data, err := w.GetNodeExecutionData(t.Context(), &admin.NodeExecutionGetDataRequest{Id: id("n0")})
	if err != nil || data.GetFullOutputs().GetLiterals()["o0"].GetScalar().GetPrimitive().GetInteger() != 7 {
		t.Errorf("got %v, %v", data, err)
	}
}
