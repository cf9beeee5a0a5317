// Package executions launches workflows and answers for their executions, in the order and with the merges of FlyteAdmin.
package executions

import (
	"context"
	"errors"
	"time"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/apis/flyteworkflow/v1alpha1"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/registry"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Cluster is where FlytePropeller finds its work.
type Cluster interface {
	// Create makes the object; nil also means that it was there already.
	Create(ctx context.Context, workflow *v1alpha1.FlyteWorkflow) error
	// Delete asks for removal; nil also means that it is gone already.
	Delete(ctx context.Context, namespace, name string) error
}

// Service answers AdminService's calls on workflow executions.
type Service struct {
	store    *store.Store
	blobs    *blob.Store
	registry *registry.Registry
	cluster  Cluster
	launches *inflight.Launches
	settings settings.Settings
	now      func() time.Time
}

// New makes the service. It notes in launches what is being launched. The clock stamps acceptance and creation.
func New(db *store.Store, blobs *blob.Store, entities *registry.Registry, cluster Cluster, launches *inflight.Launches,
	with settings.Settings, now func() time.Time,
) *Service {
	return &Service{store: db, blobs: blobs, registry: entities, cluster: cluster, launches: launches, settings: with, now: now}
}

// CreateExecution launches a workflow, or a single task.
func (s *Service) CreateExecution(ctx context.Context, request *admin.ExecutionCreateRequest) (*admin.ExecutionCreateResponse, error) {
	if len(request.GetInputs().GetLiterals()) == 0 {
		request.Inputs = request.GetSpec().GetInputs()
	}
	return s.launch(ctx, request, s.now())
}

// RelaunchExecution launches what an execution ran once more, with the inputs its user gave.
func (s *Service) RelaunchExecution(ctx context.Context, request *admin.ExecutionRelaunchRequest) (*admin.ExecutionCreateResponse, error) {
	accepted := s.now()
	again, err := s.repeat(ctx, request.GetId(), request.GetName(), admin.ExecutionMetadata_RELAUNCH)
	if err != nil {
		return nil, err
	}
	again.Spec.OverwriteCache = request.GetOverwriteCache()
	return s.launch(ctx, again, accepted)
}

// RecoverExecution launches what an execution ran once more and lets FlytePropeller take over what had succeeded.
func (s *Service) RecoverExecution(ctx context.Context, request *admin.ExecutionRecoverRequest) (*admin.ExecutionCreateResponse, error) {
	accepted := s.now()
	again, err := s.repeat(ctx, request.GetId(), request.GetName(), admin.ExecutionMetadata_RECOVERED)
	if err != nil {
		return nil, err
	}
	if request.GetMetadata() != nil {
		again.Spec.Metadata.ParentNodeExecution = request.GetMetadata().GetParentNodeExecution()
	}
	return s.launch(ctx, again, accepted)
}

func (s *Service) repeat(ctx context.Context, id *core.WorkflowExecutionIdentifier, name string, mode admin.ExecutionMetadata_ExecutionMode) (
	*admin.ExecutionCreateRequest, error,
) {
	record, err := s.read(id)
	if err != nil {
		return nil, err
	}
	spec := record.Row.Spec.Value
	if spec.GetMetadata() == nil {
		spec.Metadata = &admin.ExecutionMetadata{}
	}
	spec.Metadata.Mode = mode
	spec.Metadata.ReferenceExecution = record.Row.ID.Value
	inputs := &core.LiteralMap{}
	if err := s.blobs.Read(ctx, record.Row.UserInputsURI, inputs); err != nil {
		return nil, fault.Internal("inputs of the execution to repeat", err)
	}
	return &admin.ExecutionCreateRequest{
		Project: id.GetProject(), Domain: id.GetDomain(), Name: name, Spec: spec, Inputs: inputs,
	}, nil
}

func (s *Service) read(id *core.WorkflowExecutionIdentifier) (store.Record[records.Execution], error) {
	var record store.Record[records.Execution]
	if err := fault.Execution(id); err != nil {
		return record, err
	}
	err := s.store.View(func(tx *store.Tx) error {
		var err error
		record, err = Find(tx, id)
		return err
	})
	return record, err
}

// Find reads the execution that id names, or fails with NotFound.
func Find(tx *store.Tx, id *core.WorkflowExecutionIdentifier) (store.Record[records.Execution], error) {
	record, err := records.Executions.Get(tx, records.ExecutionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return record, fault.NotFound("execution", id)
	}
	return record, err
}
