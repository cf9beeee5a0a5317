package events

import (
	"cmp"
	"slices"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// TaskID names the attempt that an event is about.
func TaskID(e *event.TaskExecutionEvent) *core.TaskExecutionIdentifier {
	return &core.TaskExecutionIdentifier{
		TaskId: e.GetTaskId(), NodeExecutionId: e.GetParentNodeExecutionId(), RetryAttempt: e.GetRetryAttempt(),
	}
}

// NewTask is the row that the first event of an attempt makes.
func NewTask(e *event.TaskExecutionEvent) records.TaskExecution {
	closure := &admin.TaskExecutionClosure{
		Phase:        e.GetPhase(),
		CreatedAt:    e.GetOccurredAt(),
		UpdatedAt:    reported(e),
		Logs:         e.GetLogs(),
		CustomInfo:   e.GetCustomInfo(),
		TaskType:     e.GetTaskType(),
		Metadata:     e.GetMetadata(),
		EventVersion: e.GetEventVersion(),
	}
	slices.SortStableFunc(closure.GetMetadata().GetExternalResources(), byIndex)
	addReasons(closure, e)
	enterTaskPhase(closure, e)
	return records.TaskExecution{
		ID: store.Of(TaskID(e)), Closure: store.Of(closure), InputURI: e.GetInputUri(), PhaseVersion: e.GetPhaseVersion(),
	}
}

// AcceptTask refuses a phase and version that is recorded already, and anything after an end.
func AcceptTask(row records.TaskExecution, e *event.TaskExecutionEvent) error {
	current, next := row.Closure.Value.GetPhase(), e.GetPhase()
	switch {
	case current == next && row.PhaseVersion >= e.GetPhaseVersion():
		return fault.Exists("have already recorded task execution phase %s (version: %d) for %v", next, e.GetPhaseVersion(), TaskID(e))
	case TaskEnded(current):
		return fault.Terminal(next.String(), "invalid phase change from %v to %v for task execution %v", current, next, TaskID(e))
	default:
		return nil
	}
}

// ApplyTask changes the row as an accepted event says.
func ApplyTask(row *records.TaskExecution, e *event.TaskExecutionEvent) error {
	closure := row.Closure.Value
	changed := closure.GetPhase() != e.GetPhase()
	closure.Phase = e.GetPhase()
	row.PhaseVersion = e.GetPhaseVersion()
	closure.UpdatedAt = reported(e)
	closure.Logs = visibleLogs(mergeLogs(closure.GetLogs(), e.GetLogs()), e.GetPhase())
	addReasons(closure, e)
	enterTaskPhase(closure, e)
	custom, err := mergeCustom(closure.GetCustomInfo(), e.GetCustomInfo())
	if err != nil {
		return fault.Internal("failed to merge task event custom_info", err)
	}
	closure.CustomInfo = custom
	closure.Metadata = mergeMetadata(closure.GetMetadata(), e.GetMetadata())
	if changed {
		for _, resource := range closure.GetMetadata().GetExternalResources() {
			resource.Logs = visibleLogs(resource.GetLogs(), e.GetPhase())
		}
	}
	closure.EventVersion = max(closure.GetEventVersion(), e.GetEventVersion())
	if row.InputURI == "" {
		row.InputURI = e.GetInputUri()
	}
	return nil
}

// addReasons appends all reasons of a newer event; an older event has one, kept unless it repeats the last.
func addReasons(closure *admin.TaskExecutionClosure, e *event.TaskExecutionEvent) {
	for _, reason := range e.GetReasons() {
		closure.Reasons = append(closure.Reasons, &admin.Reason{OccurredAt: reason.GetOccurredAt(), Message: reason.GetReason()})
		closure.Reason = reason.GetReason()
	}
	if len(e.GetReasons()) > 0 || e.GetReason() == "" {
		return
	}
	if closure.GetReason() != e.GetReason() {
		closure.Reasons = append(closure.Reasons, &admin.Reason{OccurredAt: e.GetOccurredAt(), Message: e.GetReason()})
	}
	closure.Reason = e.GetReason()
}

func enterTaskPhase(closure *admin.TaskExecutionClosure, e *event.TaskExecutionEvent) {
	if e.GetPhase() == core.TaskExecution_RUNNING && closure.GetStartedAt() == nil {
		closure.StartedAt = e.GetOccurredAt()
	}
	if !TaskEnded(e.GetPhase()) {
		return
	}
	if closure.GetStartedAt() != nil {
		closure.Duration = between(closure.GetStartedAt(), e.GetOccurredAt())
	}
	switch {
	case e.GetOutputUri() != "":
		closure.OutputResult = &admin.TaskExecutionClosure_OutputUri{OutputUri: e.GetOutputUri()}
	case e.GetError() != nil:
		closure.OutputResult = &admin.TaskExecutionClosure_Error{Error: e.GetError()}
	}
}

func byIndex(a, b *event.ExternalResourceInfo) int {
	return cmp.Or(cmp.Compare(a.GetIndex(), b.GetIndex()), cmp.Compare(a.GetRetryAttempt(), b.GetRetryAttempt()))
}
