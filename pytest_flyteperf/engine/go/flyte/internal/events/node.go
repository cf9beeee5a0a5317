package events

import (
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// NewNode is the row that the first event of a node makes.
func NewNode(e *event.NodeExecutionEvent) records.NodeExecution {
	closure := &admin.NodeExecutionClosure{
		Phase:     e.GetPhase(),
		CreatedAt: e.GetOccurredAt(),
		UpdatedAt: reported(e),
	}
	enterNodePhase(closure, e)
	if metadata := taskMetadata(e); metadata != nil {
		closure.TargetMetadata = metadata
	}
	return records.NodeExecution{
		ID:      store.Of(e.GetId()),
		Closure: store.Of(closure),
		Metadata: store.Of(&admin.NodeExecutionMetaData{
			RetryGroup:   e.GetRetryGroup(),
			SpecNodeId:   e.GetSpecNodeId(),
			IsParentNode: e.GetIsParent(),
			IsDynamic:    e.GetIsDynamic(),
			IsArray:      e.GetIsArray(),
		}),
		InputURI:     e.GetInputUri(),
		ParentID:     e.GetParentNodeMetadata().GetNodeId(),
		EventVersion: e.GetEventVersion(),
	}
}

// AcceptNode refuses a phase that is recorded already, and any phase after an end.
func AcceptNode(row records.NodeExecution, e *event.NodeExecutionEvent) error {
	current, next := row.Closure.Value.GetPhase(), e.GetPhase()
	switch {
	case current == next:
		return fault.Exists("This phase was already recorded %v for %v", current, e.GetId())
	case NodeEnded(current):
		// FlyteAdmin's detail names the event's phase here, not the recorded one.
		return fault.Terminal(next.String(), "Invalid phase change from %s to %s for node execution %v", current, next, e.GetId())
	default:
		return nil
	}
}

// ApplyNode changes the row as an accepted event says. Only flags that the event sets are changed.
func ApplyNode(row *records.NodeExecution, e *event.NodeExecutionEvent) {
	closure, metadata := row.Closure.Value, row.Metadata.Value
	closure.Phase = e.GetPhase()
	closure.UpdatedAt = reported(e)
	enterNodePhase(closure, e)
	if child := e.GetWorkflowNodeMetadata().GetExecutionId(); child != nil && closure.GetWorkflowNodeMetadata() == nil {
		closure.TargetMetadata = &admin.NodeExecutionClosure_WorkflowNodeMetadata{
			WorkflowNodeMetadata: &admin.WorkflowNodeMetadata{ExecutionId: child},
		}
	}
	if metadata := taskMetadata(e); metadata != nil {
		closure.TargetMetadata = metadata
	}
	if uri := e.GetTaskNodeMetadata().GetDynamicWorkflow().GetDynamicJobSpecUri(); uri != "" {
		closure.DynamicJobSpecUri = uri
	}
	metadata.IsParentNode = metadata.GetIsParentNode() || e.GetIsParent()
	metadata.IsDynamic = metadata.GetIsDynamic() || e.GetIsDynamic()
	metadata.IsArray = metadata.GetIsArray() || e.GetIsArray()
	if row.InputURI == "" {
		row.InputURI = e.GetInputUri()
	}
}

func enterNodePhase(closure *admin.NodeExecutionClosure, e *event.NodeExecutionEvent) {
	if e.GetPhase() == core.NodeExecution_RUNNING {
		closure.StartedAt = e.GetOccurredAt()
		closure.DeckUri = e.GetDeckUri()
	}
	if !NodeEnded(e.GetPhase()) {
		return
	}
	if closure.GetStartedAt() != nil {
		closure.Duration = between(closure.GetStartedAt(), e.GetOccurredAt())
	}
	switch {
	case e.GetOutputUri() != "":
		closure.OutputResult = &admin.NodeExecutionClosure_OutputUri{OutputUri: e.GetOutputUri()}
	case e.GetError() != nil:
		closure.OutputResult = &admin.NodeExecutionClosure_Error{Error: e.GetError()}
	}
	closure.DeckUri = e.GetDeckUri()
}

// taskMetadata is nil if the event has none. The cache status is kept only with a catalog key, so a plain miss is never seen.
func taskMetadata(e *event.NodeExecutionEvent) *admin.NodeExecutionClosure_TaskNodeMetadata {
	sent := e.GetTaskNodeMetadata()
	if sent == nil {
		return nil
	}
	kept := &admin.TaskNodeMetadata{CheckpointUri: sent.GetCheckpointUri()}
	if sent.GetCatalogKey() != nil {
		kept.CacheStatus, kept.CatalogKey = sent.GetCacheStatus(), sent.GetCatalogKey()
	}
	return &admin.NodeExecutionClosure_TaskNodeMetadata{TaskNodeMetadata: kept}
}
