package events_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
)

var node = &core.NodeExecutionIdentifier{NodeId: "n0", ExecutionId: execution}

func nodeEvent(phase core.NodeExecution_Phase, occurred float64, more ...func(*event.NodeExecutionEvent)) *event.NodeExecutionEvent {
	e := &event.NodeExecutionEvent{Id: node, Phase: phase, OccurredAt: at(occurred), EventVersion: 1}
	for _, add := range more {
		add(e)
	}
	return e
}

func play(t *testing.T, all ...*event.NodeExecutionEvent) records.NodeExecution {
	t.Helper()
	row := events.NewNode(all[0])
	for _, e := range all[1:] {
		if err := events.AcceptNode(row, e); err != nil {
			t.Fatal(err)
		}
		events.ApplyNode(&row, e)
	}
	return row
}

func TestNodeEventsAreAcceptedByPhase(t *testing.T) {
	for sentence, test := range map[string]struct {
		from, to core.NodeExecution_Phase
		want     codes.Code
		detail   string
	}{
		"onwards":                               {core.NodeExecution_QUEUED, core.NodeExecution_RUNNING, codes.OK, ""},
		"a dynamic node runs its workflow":      {core.NodeExecution_RUNNING, core.NodeExecution_DYNAMIC_RUNNING, codes.OK, ""},
		"a phase is recorded once":              {core.NodeExecution_RUNNING, core.NodeExecution_RUNNING, codes.AlreadyExists, ""},
		"an end is recorded once":               {core.NodeExecution_SUCCEEDED, core.NodeExecution_SUCCEEDED, codes.AlreadyExists, ""},
		"nothing follows success":               {core.NodeExecution_SUCCEEDED, core.NodeExecution_RUNNING, codes.FailedPrecondition, "RUNNING"},
		"nothing follows skipping":              {core.NodeExecution_SKIPPED, core.NodeExecution_QUEUED, codes.FailedPrecondition, "QUEUED"},
		"nothing follows recovery":              {core.NodeExecution_RECOVERED, core.NodeExecution_FAILED, codes.FailedPrecondition, "FAILED"},
		"a failing node may still be timed out": {core.NodeExecution_FAILING, core.NodeExecution_TIMED_OUT, codes.OK, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := events.AcceptNode(events.NewNode(nodeEvent(test.from, 0)), nodeEvent(test.to, 1))
			if status.Code(err) != test.want || terminalPhase(err) != test.detail {
				t.Errorf("want %v with detail %q, got %v with detail %q", test.want, test.detail, err, terminalPhase(err))
			}
		})
	}
}

func TestNodeTimesComeFromEvents(t *testing.T) {
	closure := play(t,
		nodeEvent(core.NodeExecution_QUEUED, 1, func(e *event.NodeExecutionEvent) { e.ReportedAt = at(1.1) }),
		nodeEvent(core.NodeExecution_RUNNING, 2, func(e *event.NodeExecutionEvent) { e.ReportedAt = at(2.1) }),
		nodeEvent(core.NodeExecution_SUCCEEDED, 4, func(e *event.NodeExecutionEvent) { e.ReportedAt = at(4.1) }),
	).Closure.Value
	if !closure.GetCreatedAt().AsTime().Equal(at(1).AsTime()) {
		t.Errorf("created when the first event occurred: got %v", closure.GetCreatedAt())
	}
	if !closure.GetStartedAt().AsTime().Equal(at(2).AsTime()) {
		t.Errorf("started when running occurred: got %v", closure.GetStartedAt())
	}
	if !closure.GetUpdatedAt().AsTime().Equal(at(4.1).AsTime()) {
		t.Errorf("updated when the last event was reported: got %v", closure.GetUpdatedAt())
	}
	if got := closure.GetDuration().AsDuration(); got != 2*time.Second {
		t.Errorf("duration from running to the end: got %v", got)
	}
}

func TestNodeThatNeverRanHasNoDuration(t *testing.T) {
	closure := play(t, nodeEvent(core.NodeExecution_SUCCEEDED, 1)).Closure.Value
	if closure.GetStartedAt() != nil || closure.GetDuration() != nil {
		t.Errorf("a cache hit or start node: got %v", closure)
	}
	if !closure.GetUpdatedAt().AsTime().Equal(at(1).AsTime()) {
		t.Errorf("without reported_at it is updated when it occurred: got %v", closure.GetUpdatedAt())
	}
}

func TestDynamicRunningKeepsTheStart(t *testing.T) {
	row := play(t,
		nodeEvent(core.NodeExecution_RUNNING, 1),
		nodeEvent(core.NodeExecution_DYNAMIC_RUNNING, 2, func(e *event.NodeExecutionEvent) { e.IsParent, e.IsDynamic = true, true }),
		nodeEvent(core.NodeExecution_SUCCEEDED, 3),
	)
	if !row.Closure.Value.GetStartedAt().AsTime().Equal(at(1).AsTime()) {
		t.Errorf("got %v", row.Closure.Value.GetStartedAt())
	}
	if !row.Metadata.Value.GetIsParentNode() || !row.Metadata.Value.GetIsDynamic() {
		t.Errorf("flags stay once set: got %v", row.Metadata.Value)
	}
}

func cache(state core.CatalogCacheStatus, key *core.CatalogMetadata) func(*event.NodeExecutionEvent) {
	return func(e *event.NodeExecutionEvent) {
		e.TargetMetadata = &event.NodeExecutionEvent_TaskNodeMetadata{
			TaskNodeMetadata: &event.TaskNodeMetadata{CacheStatus: state, CatalogKey: key, CheckpointUri: "s3://check"},
		}
	}
}

func TestCacheStatusNeedsACatalogKey(t *testing.T) {
	key := &core.CatalogMetadata{DatasetId: &core.Identifier{Name: "t"}}
	for sentence, test := range map[string]struct {
		key  *core.CatalogMetadata
		want core.CatalogCacheStatus
	}{
		"with a key it is kept":       {key, core.CatalogCacheStatus_CACHE_POPULATED},
		"without a key it is dropped": {nil, core.CatalogCacheStatus_CACHE_DISABLED},
	} {
		t.Run(sentence, func(t *testing.T) {
			row := play(t, nodeEvent(core.NodeExecution_RUNNING, 1), nodeEvent(core.NodeExecution_SUCCEEDED, 2, cache(core.CatalogCacheStatus_CACHE_POPULATED, test.key)))
			kept := row.Closure.Value.GetTaskNodeMetadata()
			if kept.GetCacheStatus() != test.want || kept.GetCheckpointUri() != "s3://check" {
				t.Errorf("want %v and the checkpoint, got %v", test.want, kept)
			}
		})
	}
}

func TestLaunchedExecutionIsKept(t *testing.T) {
	child := &core.WorkflowExecutionIdentifier{Name: "child"}
	row := play(t, nodeEvent(core.NodeExecution_QUEUED, 1), nodeEvent(core.NodeExecution_RUNNING, 2, func(e *event.NodeExecutionEvent) {
		e.TargetMetadata = &event.NodeExecutionEvent_WorkflowNodeMetadata{WorkflowNodeMetadata: &event.WorkflowNodeMetadata{ExecutionId: child}}
	}), nodeEvent(core.NodeExecution_SUCCEEDED, 3))
	if got := row.Closure.Value.GetWorkflowNodeMetadata().GetExecutionId().GetName(); got != "child" {
		t.Errorf("got %q", got)
	}
}

func TestInputsAreSetOnce(t *testing.T) {
	input := func(uri string) func(*event.NodeExecutionEvent) {
		return func(e *event.NodeExecutionEvent) { e.InputValue = &event.NodeExecutionEvent_InputUri{InputUri: uri} }
	}
	row := play(t, nodeEvent(core.NodeExecution_QUEUED, 1), nodeEvent(core.NodeExecution_RUNNING, 2, input("first")), nodeEvent(core.NodeExecution_SUCCEEDED, 3, input("second")))
	if row.InputURI != "first" {
		t.Errorf("got %q", row.InputURI)
	}
}
