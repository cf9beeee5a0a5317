package events_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
)

var execution = &core.WorkflowExecutionIdentifier{Project: "flytesnacks", Domain: "development", Name: "run"}

// at is a moment, a number of seconds after an arbitrary start.
func at(seconds float64) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(1_795_000_000, 0).Add(time.Duration(seconds * float64(time.Second))))
}

// terminalPhase is the phase in the detail of a refusal, empty if it has no such detail.
func terminalPhase(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if reason, ok := detail.(*admin.EventFailureReason); ok {
			return reason.GetAlreadyInTerminalState().GetCurrentPhase()
		}
	}
	return ""
}

func TestWorkflowEventsAreAcceptedByPhase(t *testing.T) {
	const (
		undefined  = core.WorkflowExecution_UNDEFINED
		queued     = core.WorkflowExecution_QUEUED
		running    = core.WorkflowExecution_RUNNING
		succeeding = core.WorkflowExecution_SUCCEEDING
		succeeded  = core.WorkflowExecution_SUCCEEDED
		failing    = core.WorkflowExecution_FAILING
		failed     = core.WorkflowExecution_FAILED
		aborting   = core.WorkflowExecution_ABORTING
		aborted    = core.WorkflowExecution_ABORTED
	)
	for sentence, test := range map[string]struct {
		from, to core.WorkflowExecution_Phase
		want     codes.Code
		detail   string
	}{
		"the first event":                             {undefined, running, codes.OK, ""},
		"onwards":                                     {running, succeeding, codes.OK, ""},
		"to the end":                                  {succeeding, succeeded, codes.OK, ""},
		"from failing to failed":                      {failing, failed, codes.OK, ""},
		"queued again, for another cluster":           {queued, queued, codes.OK, ""},
		"a phase is recorded once":                    {running, running, codes.AlreadyExists, ""},
		"an end is recorded once":                     {failed, failed, codes.AlreadyExists, ""},
		"nothing follows an end":                      {succeeded, running, codes.FailedPrecondition, "SUCCEEDED"},
		"no other end follows an end":                 {aborted, failed, codes.FailedPrecondition, "ABORTED"},
		"running does not go back to queued":          {running, queued, codes.FailedPrecondition, ""},
		"what is being aborted does not run":          {aborting, running, codes.FailedPrecondition, ""},
		"what is being aborted does not succeed soon": {aborting, succeeding, codes.FailedPrecondition, ""},
		"what is being aborted ends aborted":          {aborting, aborted, codes.OK, ""},
		"what is being aborted may have succeeded":    {aborting, succeeded, codes.OK, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			closure := &admin.ExecutionClosure{Phase: test.from, UpdatedAt: at(0)}
			err := events.ApplyWorkflow(closure, &event.WorkflowExecutionEvent{ExecutionId: execution, Phase: test.to, OccurredAt: at(1)})
			if got := status.Code(err); got != test.want {
				t.Fatalf("want %v, got %v", test.want, err)
			}
			if got := terminalPhase(err); got != test.detail {
				t.Errorf("want detail %q, got %q", test.detail, got)
			}
			want, moved := test.to, at(1)
			if err != nil {
				want, moved = test.from, at(0)
			}
			if closure.GetPhase() != want || !closure.GetUpdatedAt().AsTime().Equal(moved.AsTime()) {
				t.Errorf("want %v at %v, got %v", want, moved, closure)
			}
		})
	}
}

func TestWorkflowTimesComeFromEvents(t *testing.T) {
	closure := &admin.ExecutionClosure{CreatedAt: at(0)}
	for _, e := range []*event.WorkflowExecutionEvent{
		{Phase: core.WorkflowExecution_RUNNING, OccurredAt: at(1)},
		{Phase: core.WorkflowExecution_SUCCEEDING, OccurredAt: at(2)},
		{Phase: core.WorkflowExecution_SUCCEEDED, OccurredAt: at(3.5), OutputResult: &event.WorkflowExecutionEvent_OutputUri{OutputUri: "s3://out"}},
	} {
		if err := events.ApplyWorkflow(closure, e); err != nil {
			t.Fatal(err)
		}
	}
	if got := closure.GetDuration().AsDuration(); got != 2500*time.Millisecond {
		t.Errorf("duration from running to the end: got %v", got)
	}
	if got := closure.GetOutputs().GetUri(); got != "s3://out" {
		t.Errorf("outputs: got %q", got)
	}
}

func TestWorkflowThatNeverRanHasNoDuration(t *testing.T) {
	closure := &admin.ExecutionClosure{CreatedAt: at(0)}
	if err := events.ApplyWorkflow(closure, &event.WorkflowExecutionEvent{Phase: core.WorkflowExecution_FAILED, OccurredAt: at(1)}); err != nil {
		t.Fatal(err)
	}
	if closure.GetDuration() != nil || closure.GetStartedAt() != nil {
		t.Errorf("got %v", closure)
	}
}

func TestAbortIsRefusedAfterTheEnd(t *testing.T) {
	closure := &admin.ExecutionClosure{Phase: core.WorkflowExecution_SUCCEEDED}
	err := events.Abort(closure, "late")
	if status.Code(err) != codes.FailedPrecondition || terminalPhase(err) != "SUCCEEDED" {
		t.Errorf("want a refusal with the phase, got %v", err)
	}
	if closure.GetPhase() != core.WorkflowExecution_SUCCEEDED {
		t.Errorf("the execution became %v", closure.GetPhase())
	}
}
