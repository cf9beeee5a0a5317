package events

import (
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

// ApplyWorkflow changes the closure of an execution as the event says, or refuses the event and leaves it.
func ApplyWorkflow(closure *admin.ExecutionClosure, e *event.WorkflowExecutionEvent) error {
	if err := acceptWorkflow(closure.GetPhase(), e); err != nil {
		return err
	}
	closure.Phase = e.GetPhase()
	closure.UpdatedAt = e.GetOccurredAt()
	if e.GetPhase() == core.WorkflowExecution_RUNNING {
		closure.StartedAt = e.GetOccurredAt()
	}
	if WorkflowEnded(e.GetPhase()) && closure.GetStartedAt() != nil {
		closure.Duration = between(closure.GetStartedAt(), e.GetOccurredAt())
	}
	switch {
	case e.GetOutputUri() != "":
		closure.OutputResult = &admin.ExecutionClosure_Outputs{
			Outputs: &admin.LiteralMapBlob{Data: &admin.LiteralMapBlob_Uri{Uri: e.GetOutputUri()}},
		}
	case e.GetError() != nil:
		closure.OutputResult = &admin.ExecutionClosure_Error{Error: e.GetError()}
	}
	return nil
}

func acceptWorkflow(current core.WorkflowExecution_Phase, e *event.WorkflowExecutionEvent) error {
	next, id := e.GetPhase(), e.GetExecutionId()
	switch {
	case next == current && next != core.WorkflowExecution_QUEUED:
		return fault.Exists("This phase %s was already recorded for workflow execution %v", current, id)
	case WorkflowEnded(current):
		return fault.Terminal(current.String(), "Invalid phase change from %s to %s for workflow execution %v", current, next, id)
	case current == core.WorkflowExecution_RUNNING && next == core.WorkflowExecution_QUEUED:
		return fault.Refused("Cannot go from %s to %s for workflow execution %v", current, next, id)
	case current == core.WorkflowExecution_ABORTING && !WorkflowEnded(next):
		return fault.Refused("Invalid phase change from aborting to %s for workflow execution %v", next, id)
	default:
		return nil
	}
}

// Abort marks an execution as being aborted on a user's request; FlytePropeller's own event ends it later.
func Abort(closure *admin.ExecutionClosure, cause string) error {
	if WorkflowEnded(closure.GetPhase()) {
		return fault.Terminal(closure.GetPhase().String(), "Cannot abort an already terminated workflow execution")
	}
	closure.Phase = core.WorkflowExecution_ABORTING
	closure.OutputResult = &admin.ExecutionClosure_AbortMetadata{AbortMetadata: &admin.AbortMetadata{Cause: cause}}
	return nil
}
