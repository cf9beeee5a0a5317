package signals_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/signals"
)

var (
	run     = &core.WorkflowExecutionIdentifier{Project: "flytesnacks", Domain: "development", Name: "run"}
	id      = &core.SignalIdentifier{SignalId: "go", ExecutionId: run}
	integer = fixture.Integers("a").GetVariables()["a"].GetType()
)

func TestSignalWaitsForItsValue(t *testing.T) {
	service := signals.New(fixture.Store(t))
	if _, err := service.SetSignal(t.Context(), &admin.SignalSetRequest{Id: id, Value: fixture.Integer(7)}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("want a refusal before the gate is reached, got %v", err)
	}
	for range 2 {
		signal, err := service.GetOrCreateSignal(t.Context(), &admin.SignalGetOrCreateRequest{Id: id, Type: integer})
		if err != nil || signal.GetValue() != nil {
			t.Fatalf("want a signal without value, got %v, %v", signal, err)
		}
	}
	if _, err := service.SetSignal(t.Context(), &admin.SignalSetRequest{Id: id, Value: fixture.Integer(7)}); err != nil {
		t.Fatal(err)
	}
	signal, err := service.GetOrCreateSignal(t.Context(), &admin.SignalGetOrCreateRequest{Id: id, Type: integer})
	if err != nil || signal.GetValue().GetScalar().GetPrimitive().GetInteger() != 7 {
		t.Errorf("want 7, got %v, %v", signal, err)
	}
	list, err := service.ListSignals(t.Context(), &admin.SignalListRequest{WorkflowExecutionId: run, Limit: 5})
	if err != nil || len(list.GetSignals()) != 1 {
		t.Errorf("want one signal, got %v, %v", list, err)
	}
}

func TestValueOfAnotherTypeIsRefused(t *testing.T) {
	service := signals.New(fixture.Store(t))
	boolean := &core.LiteralType{Type: &core.LiteralType_Simple{Simple: core.SimpleType_BOOLEAN}}
	if _, err := service.GetOrCreateSignal(t.Context(), &admin.SignalGetOrCreateRequest{Id: id, Type: boolean}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.SetSignal(t.Context(), &admin.SignalSetRequest{Id: id, Value: fixture.Integer(1)}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}
