package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
)

const (
	taskQueued       = core.TaskExecution_QUEUED
	taskInitializing = core.TaskExecution_INITIALIZING
	taskRunning      = core.TaskExecution_RUNNING
	taskSucceeded    = core.TaskExecution_SUCCEEDED
	taskFailed       = core.TaskExecution_FAILED
)

func taskEvent(phase core.TaskExecution_Phase, version uint32, occurred float64, more ...func(*event.TaskExecutionEvent)) *event.TaskExecutionEvent {
	e := &event.TaskExecutionEvent{
		TaskId:                &core.Identifier{ResourceType: core.ResourceType_TASK, Project: "p", Domain: "d", Name: "t", Version: "1"},
		ParentNodeExecutionId: node, Phase: phase, PhaseVersion: version, OccurredAt: at(occurred),
	}
	for _, add := range more {
		add(e)
	}
	return e
}

func playTask(t *testing.T, all ...*event.TaskExecutionEvent) records.TaskExecution {
	t.Helper()
	row := events.NewTask(all[0])
	for _, e := range all[1:] {
		if err := events.AcceptTask(row, e); err != nil {
			t.Fatal(err)
		}
		if err := events.ApplyTask(&row, e); err != nil {
			t.Fatal(err)
		}
	}
	return row
}

func TestTaskEventsAreAcceptedByPhaseAndVersion(t *testing.T) {
	for sentence, test := range map[string]struct {
		from        core.TaskExecution_Phase
		fromVersion uint32
		to          core.TaskExecution_Phase
		toVersion   uint32
		want        codes.Code
		detail      string
	}{
		"another phase":                       {taskQueued, 3, taskRunning, 0, codes.OK, ""},
		"a greater version of the same":       {taskQueued, 0, taskQueued, 1, codes.OK, ""},
		"the same version":                    {taskQueued, 1, taskQueued, 1, codes.AlreadyExists, ""},
		"a smaller version":                   {taskRunning, 2, taskRunning, 1, codes.AlreadyExists, ""},
		"an end is recorded once":             {taskFailed, 0, taskFailed, 0, codes.AlreadyExists, ""},
		"nothing follows an end":              {taskSucceeded, 0, taskRunning, 9, codes.FailedPrecondition, "RUNNING"},
		"not even its own phase once more":    {taskFailed, 0, taskFailed, 1, codes.FailedPrecondition, "FAILED"},
		"backwards is left to FlytePropeller": {taskRunning, 0, taskQueued, 0, codes.OK, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := events.AcceptTask(events.NewTask(taskEvent(test.from, test.fromVersion, 0)), taskEvent(test.to, test.toVersion, 1))
			if status.Code(err) != test.want || terminalPhase(err) != test.detail {
				t.Errorf("want %v with detail %q, got %v with detail %q", test.want, test.detail, err, terminalPhase(err))
			}
		})
	}
}

func TestTaskStartsOnce(t *testing.T) {
	closure := playTask(t, taskEvent(taskQueued, 0, 1), taskEvent(taskRunning, 0, 2), taskEvent(taskRunning, 1, 3), taskEvent(taskSucceeded, 0, 5)).Closure.Value
	if !closure.GetStartedAt().AsTime().Equal(at(2).AsTime()) || closure.GetDuration().AsDuration() != 3*time.Second {
		t.Errorf("want a start at the first running event and 3s, got %v", closure)
	}
}

func TestTaskThatWasNeverSeenRunningHasNoDuration(t *testing.T) {
	closure := playTask(t, taskEvent(taskQueued, 0, 1), taskEvent(taskSucceeded, 0, 5)).Closure.Value
	if closure.GetStartedAt() != nil || closure.GetDuration() != nil {
		t.Errorf("got %v", closure)
	}
}

func TestReasonsAdd(t *testing.T) {
	old := func(text string) func(*event.TaskExecutionEvent) {
		return func(e *event.TaskExecutionEvent) { e.Reason = text }
	}
	several := func(texts ...string) func(*event.TaskExecutionEvent) {
		return func(e *event.TaskExecutionEvent) {
			for _, text := range texts {
				e.Reasons = append(e.Reasons, &event.EventReason{Reason: text, OccurredAt: at(9)})
			}
		}
	}
	for sentence, test := range map[string]struct {
		events       []*event.TaskExecutionEvent
		all, current string
	}{
		"a list is appended whole, repetitions too": {
			[]*event.TaskExecutionEvent{taskEvent(taskQueued, 0, 1, several("a", "b")), taskEvent(taskQueued, 1, 2, several("b"))}, "a b b", "b",
		},
		"a single reason is not repeated": {
			[]*event.TaskExecutionEvent{taskEvent(taskQueued, 0, 1, old("a")), taskEvent(taskQueued, 1, 2, old("a"))}, "a", "a",
		},
		"another single reason is appended": {
			[]*event.TaskExecutionEvent{taskEvent(taskQueued, 0, 1, old("a")), taskEvent(taskQueued, 1, 2, old("b")), taskEvent(taskRunning, 0, 3)}, "a b", "b",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			closure := playTask(t, test.events...).Closure.Value
			var all []string
			for _, reason := range closure.GetReasons() {
				all = append(all, reason.GetMessage())
			}
			if got := strings.Join(all, " "); got != test.all || closure.GetReason() != test.current {
				t.Errorf("want %q and %q, got %q and %q", test.all, test.current, got, closure.GetReason())
			}
		})
	}
}

func resources(all ...*event.ExternalResourceInfo) func(*event.TaskExecutionEvent) {
	return func(e *event.TaskExecutionEvent) {
		e.Metadata = &event.TaskExecutionMetadata{ExternalResources: all, PluginIdentifier: "k8s-array"}
	}
}

func TestExternalResourcesMergeByIndexAndAttempt(t *testing.T) {
	closure := playTask(t,
		taskEvent(taskQueued, 0, 1, resources(
			&event.ExternalResourceInfo{Index: 1, ExternalId: "one", Phase: taskQueued},
			&event.ExternalResourceInfo{Index: 0, ExternalId: "zero", Phase: taskQueued},
		)),
		taskEvent(taskRunning, 0, 2, resources(&event.ExternalResourceInfo{Index: 0, Phase: taskFailed, CacheStatus: core.CatalogCacheStatus_CACHE_MISS})),
		taskEvent(taskRunning, 1, 3, resources(&event.ExternalResourceInfo{Index: 0, RetryAttempt: 1, ExternalId: "zero-1", Phase: taskSucceeded})),
		taskEvent(taskRunning, 2, 4, resources(&event.ExternalResourceInfo{Index: 0, RetryAttempt: 0, Phase: taskFailed})),
	).Closure.Value
	var got []string
	for _, r := range closure.GetMetadata().GetExternalResources() {
		got = append(got, fmt.Sprintf("%d/%d %s %s %s", r.GetIndex(), r.GetRetryAttempt(), r.GetExternalId(), r.GetPhase(), r.GetCacheStatus()))
	}
	want := []string{"0/0 zero FAILED CACHE_MISS", "0/1 zero-1 SUCCEEDED CACHE_DISABLED", "1/0 one QUEUED CACHE_DISABLED"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("want %q, got %q", want, got)
	}
}

func TestLogsReplaceByAddressOrName(t *testing.T) {
	links := func(all ...*core.TaskLog) func(*event.TaskExecutionEvent) {
		return func(e *event.TaskExecutionEvent) { e.Logs = all }
	}
	closure := playTask(t,
		taskEvent(taskRunning, 0, 1, links(
			&core.TaskLog{Name: "a", Uri: "1"}, &core.TaskLog{Name: "b", Uri: "2"}, &core.TaskLog{Name: "live", Uri: "3", HideOnceFinished: true})),
		taskEvent(taskSucceeded, 0, 2, links(&core.TaskLog{Name: "a", Uri: "9"})),
	).Closure.Value
	var got []string
	for _, link := range closure.GetLogs() {
		got = append(got, link.GetName()+link.GetUri())
	}
	if want := "a9 b2"; strings.Join(got, " ") != want {
		t.Errorf("want %q, got %q", want, got)
	}
	pending := playTask(t, taskEvent(taskQueued, 0, 1), taskEvent(taskInitializing, 0, 2, links(
		&core.TaskLog{Name: "early", Uri: "1", ShowWhilePending: true}, &core.TaskLog{Name: "late", Uri: "2"}))).Closure.Value
	if len(pending.GetLogs()) != 1 || pending.GetLogs()[0].GetName() != "early" {
		t.Errorf("want only the link for pending tasks, got %v", pending.GetLogs())
	}
}

func TestCustomInfoIsPatched(t *testing.T) {
	custom := func(values map[string]any) func(*event.TaskExecutionEvent) {
		return func(e *event.TaskExecutionEvent) {
			e.CustomInfo, _ = structpb.NewStruct(values)
		}
	}
	closure := playTask(t,
		taskEvent(taskQueued, 0, 1, custom(map[string]any{"keep": 1.0, "nested": map[string]any{"a": 1.0, "b": 2.0}, "gone": "x"})),
		taskEvent(taskRunning, 0, 2, custom(map[string]any{"nested": map[string]any{"b": 3.0}, "gone": nil, "new": true})),
		taskEvent(taskRunning, 1, 3),
	).Closure.Value
	want := map[string]any{"keep": 1.0, "nested": map[string]any{"a": 1.0, "b": 3.0}, "new": true}
	if got := closure.GetCustomInfo().AsMap(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("want %v, got %v", want, got)
	}
}
