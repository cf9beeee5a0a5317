package events_test

import (
	"fmt"
	"testing"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// BenchmarkNodeEvent is one event of a new node, on disk when it is answered. FlyteAdmin on PostgreSQL takes 2 to 4 ms.
func BenchmarkNodeEvent(b *testing.B) {
	db := fixture.Store(b)
	err := db.Update(func(tx *store.Tx) error {
		return records.Executions.Insert(tx, records.ExecutionKey(execution), records.Execution{
			ID: store.Of(execution), Closure: store.Of(&admin.ExecutionClosure{}),
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	service := events.New(db, fixture.Blobs(b), &inflight.Launches{})
	for i := 0; b.Loop(); i++ {
		e := nodeEvent(core.NodeExecution_QUEUED, 0)
		e.Id = &core.NodeExecutionIdentifier{NodeId: fmt.Sprintf("n%d", i), ExecutionId: execution}
		if _, err := service.CreateNodeEvent(b.Context(), &admin.NodeExecutionEventRequest{Event: e}); err != nil {
			b.Fatal(err)
		}
	}
}
