package executions

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// checkConcurrency refuses one more execution than the launch plan allows over all its versions.
// Like FlyteAdmin it counts only those that are queued or running, so some that were just created may be missed.
func (s *Service) checkConcurrency(plan *core.Identifier, policy *admin.ConcurrencyPolicy) error {
	if policy == nil {
		return nil
	}
	running := int32(0)
	err := s.store.View(func(tx *store.Tx) error {
		all, err := records.Executions.Scan(tx, store.KeyOf(plan.GetProject(), plan.GetDomain()).Below())
		for _, record := range all {
			phase := record.Row.Closure.Value.GetPhase()
			active := phase == core.WorkflowExecution_QUEUED || phase == core.WorkflowExecution_RUNNING
			if active && record.Row.Spec.Value.GetLaunchPlan().GetName() == plan.GetName() {
				running++
			}
		}
		return err
	})
	if err != nil || running < policy.GetMax() {
		return err
	}
	switch policy.GetBehavior() {
	case admin.ConcurrencyLimitBehavior_CONCURRENCY_LIMIT_BEHAVIOR_SKIP:
		return fault.Exists("concurrency limit (%d) reached for launch plan %s; skipping execution", policy.GetMax(), plan.GetName())
	case admin.ConcurrencyLimitBehavior_CONCURRENCY_LIMIT_BEHAVIOR_UNSPECIFIED:
		return nil
	default:
		return status.Errorf(codes.Internal, "unsupported concurrency-limit behavior: %v", policy.GetBehavior())
	}
}
