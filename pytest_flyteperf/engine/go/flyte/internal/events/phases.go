// Package events keeps executions by the events that FlytePropeller sends, by FlyteAdmin's rules: what is accepted, what an
// accepted event changes, and with which code the rest is refused.
package events

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
)

// WorkflowEnded tells whether a workflow execution in this phase is over.
func WorkflowEnded(phase core.WorkflowExecution_Phase) bool {
	switch phase {
	case core.WorkflowExecution_SUCCEEDED, core.WorkflowExecution_FAILED, core.WorkflowExecution_TIMED_OUT, core.WorkflowExecution_ABORTED:
		return true
	default:
		return false
	}
}

// NodeEnded tells whether a node execution in this phase is over.
func NodeEnded(phase core.NodeExecution_Phase) bool {
	switch phase {
	case core.NodeExecution_SUCCEEDED, core.NodeExecution_FAILED, core.NodeExecution_TIMED_OUT, core.NodeExecution_ABORTED,
		core.NodeExecution_SKIPPED, core.NodeExecution_RECOVERED:
		return true
	default:
		return false
	}
}

// TaskEnded tells whether a task execution in this phase is over.
func TaskEnded(phase core.TaskExecution_Phase) bool {
	switch phase {
	case core.TaskExecution_SUCCEEDED, core.TaskExecution_FAILED, core.TaskExecution_ABORTED:
		return true
	default:
		return false
	}
}

// between is the time from start to end; it may be negative, because the stamps come from different clocks.
func between(start, end *timestamppb.Timestamp) *durationpb.Duration {
	return durationpb.New(end.AsTime().Sub(start.AsTime()))
}

// reported is when an event was reported; one that does not say counts as reported when it occurred.
func reported(event interface {
	GetReportedAt() *timestamppb.Timestamp
	GetOccurredAt() *timestamppb.Timestamp
},
) *timestamppb.Timestamp {
	at := event.GetReportedAt()
	if at == nil || at.AsTime().Equal(time.Unix(0, 0)) {
		return event.GetOccurredAt()
	}
	return at
}
