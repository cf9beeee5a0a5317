package registry

import (
	"bytes"
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytestdlib/pbhash"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// CreateLaunchPlan stores an inactive launch plan. The identical one again is AlreadyExists, another one under its id InvalidArgument.
func (r *Registry) CreateLaunchPlan(ctx context.Context, request *admin.LaunchPlanCreateRequest) (*admin.LaunchPlanCreateResponse, error) {
	id, spec := request.GetId(), request.GetSpec()
	if err := fault.Identifier(spec.GetWorkflowId(), core.ResourceType_WORKFLOW); err != nil {
		return nil, err
	}
	if err := fault.Identifier(id, core.ResourceType_LAUNCH_PLAN); err != nil {
		return nil, err
	}
	workflow, err := r.Workflow(ctx, spec.GetWorkflowId())
	if err != nil {
		return nil, err
	}
	signature := workflow.Row.Interface.Value
	if spec.DefaultInputs, err = expectedInputs(signature.GetInputs(), spec.GetFixedInputs(), spec.GetDefaultInputs()); err != nil {
		return nil, err
	}
	closure := &admin.LaunchPlanClosure{ExpectedInputs: spec.GetDefaultInputs(), ExpectedOutputs: signature.GetOutputs()}
	digest, err := pbhash.ComputeHash(ctx, &admin.LaunchPlan{Id: id, Spec: spec, Closure: closure})
	if err != nil {
		return nil, fault.Internal("launch plan digest", err)
	}
	err = r.store.Update(func(tx *store.Tx) error {
		if err := r.place(tx, id.GetProject(), id.GetDomain()); err != nil {
			return err
		}
		existing, err := records.LaunchPlans.Get(tx, records.IdentifierKey(id))
		switch {
		case err == nil && bytes.Equal(existing.Row.Digest, digest):
			return fault.Exists("launch plan with identical structure already exists")
		case err == nil:
			return fault.Invalid("%v launch plan with different structure already exists. (Please register a new version of the launch plan)", id.GetName())
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return records.LaunchPlans.Insert(tx, records.IdentifierKey(id), records.LaunchPlan{
			ID: store.Of(id), Spec: store.Of(spec), Closure: store.Of(closure), Digest: digest,
		})
	})
	return &admin.LaunchPlanCreateResponse{}, err
}

// UpdateLaunchPlan activates a version, which deactivates the version that was active, or deactivates it.
// Schedules are kept and listed, but the stand-in starts nothing by the clock.
func (r *Registry) UpdateLaunchPlan(_ context.Context, request *admin.LaunchPlanUpdateRequest) (*admin.LaunchPlanUpdateResponse, error) {
	id := request.GetId()
	if err := fault.Identifier(id, core.ResourceType_LAUNCH_PLAN); err != nil {
		return nil, err
	}
	err := r.store.Update(func(tx *store.Tx) error {
		chosen, err := found(records.LaunchPlans, tx, id)
		if err != nil {
			return err
		}
		if request.GetState() == admin.LaunchPlanState_ACTIVE {
			versions, err := records.LaunchPlans.Scan(tx, store.KeyOf(id.GetProject(), id.GetDomain(), id.GetName()).Below())
			if err != nil {
				return err
			}
			for _, version := range versions {
				if version.Row.State != admin.LaunchPlanState_ACTIVE {
					continue
				}
				version.Row.State = admin.LaunchPlanState_INACTIVE
				if err := records.LaunchPlans.Update(tx, records.IdentifierKey(version.Row.ID.Value), version); err != nil {
					return err
				}
			}
		}
		chosen.Row.State = request.GetState()
		return records.LaunchPlans.Update(tx, records.IdentifierKey(id), chosen)
	})
	return &admin.LaunchPlanUpdateResponse{}, err
}

// GetLaunchPlan answers with one version of a launch plan.
func (r *Registry) GetLaunchPlan(ctx context.Context, request *admin.ObjectGetRequest) (*admin.LaunchPlan, error) {
	if err := fault.Identifier(request.GetId(), core.ResourceType_LAUNCH_PLAN); err != nil {
		return nil, err
	}
	return r.LaunchPlan(ctx, request.GetId())
}

// LaunchPlan is GetLaunchPlan for an id that is checked.
func (r *Registry) LaunchPlan(_ context.Context, id *core.Identifier) (*admin.LaunchPlan, error) {
	var plan *admin.LaunchPlan
	err := r.store.View(func(tx *store.Tx) error {
		record, err := found(records.LaunchPlans, tx, id)
		if err == nil {
			plan = launchPlanOf(record)
		}
		return err
	})
	return plan, err
}

func launchPlanOf(record store.Record[records.LaunchPlan]) *admin.LaunchPlan {
	closure := proto.Clone(record.Row.Closure.Value).(*admin.LaunchPlanClosure)
	closure.State = record.Row.State
	closure.CreatedAt = timestamppb.New(record.CreatedAt)
	closure.UpdatedAt = timestamppb.New(record.UpdatedAt)
	return &admin.LaunchPlan{Id: record.Row.ID.Value, Spec: record.Row.Spec.Value, Closure: closure}
}
