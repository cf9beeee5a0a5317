package registry

import (
	"bytes"
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler/common"
	"github.com/flyteorg/flyte/flytestdlib/pbhash"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// CreateWorkflow compiles a workflow, writes its closure to the blob store and then stores it. The identical workflow again
// is AlreadyExists, another one under its id InvalidArgument.
func (r *Registry) CreateWorkflow(ctx context.Context, request *admin.WorkflowCreateRequest) (*admin.WorkflowCreateResponse, error) {
	id, spec := request.GetId(), request.GetSpec()
	if err := fault.Identifier(id, core.ResourceType_WORKFLOW); err != nil {
		return nil, err
	}
	if err := r.Place(ctx, id.GetProject(), id.GetDomain()); err != nil {
		return nil, err
	}
	if spec.GetTemplate() == nil {
		return nil, fault.Missing("spec")
	}
	spec.Template.Id = id
	compiled, err := r.compile(ctx, spec)
	if err != nil {
		return nil, fault.Invalid("failed to compile workflow for [%v] with err: %v", id, err)
	}
	digest, err := pbhash.ComputeHash(ctx, compiled)
	if err != nil {
		return nil, fault.Internal("workflow digest", err)
	}
	if err := r.store.View(func(tx *store.Tx) error { return unregistered(tx, id, digest) }); err != nil {
		return nil, err
	}
	closure := &admin.WorkflowClosure{CompiledWorkflow: compiled, CreatedAt: timestamppb.Now()}
	uri, err := r.blobs.WriteClosure(ctx, closure, id.GetProject(), id.GetDomain(), id.GetName(), id.GetVersion())
	if err != nil {
		return nil, fault.Internal("workflow closure", err)
	}
	err = r.store.Update(func(tx *store.Tx) error {
		if err := unregistered(tx, id, digest); err != nil {
			return err
		}
		return records.Workflows.Insert(tx, records.IdentifierKey(id), records.Workflow{
			ID:         store.Of(id),
			Interface:  store.Of(spec.GetTemplate().GetInterface()),
			ClosureURI: uri,
			Digest:     digest,
			Summary:    spec.GetDescription().GetShortDescription(),
		})
	})
	return &admin.WorkflowCreateResponse{}, err
}

func unregistered(tx *store.Tx, id *core.Identifier, digest []byte) error {
	existing, err := records.Workflows.Get(tx, records.IdentifierKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case bytes.Equal(existing.Row.Digest, digest):
		return fault.WorkflowExists(&admin.CreateWorkflowFailureReason{
			Reason: &admin.CreateWorkflowFailureReason_ExistsIdenticalStructure{
				ExistsIdenticalStructure: &admin.WorkflowErrorExistsIdenticalStructure{Id: id},
			},
		})
	default:
		return fault.WorkflowDiffers(id.GetName(), &admin.CreateWorkflowFailureReason{
			Reason: &admin.CreateWorkflowFailureReason_ExistsDifferentStructure{
				ExistsDifferentStructure: &admin.WorkflowErrorExistsDifferentStructure{Id: id},
			},
		})
	}
}

func (r *Registry) compile(_ context.Context, spec *admin.WorkflowSpec) (*core.CompiledWorkflowClosure, error) {
	needs, err := compiler.GetRequirements(spec.GetTemplate(), spec.GetSubWorkflows())
	if err != nil {
		return nil, err
	}
	// The compiler takes a nil slice of tasks for a missing argument.
	tasks := make([]*core.CompiledTask, 0, len(needs.GetRequiredTaskIds()))
	plans := make([]common.InterfaceProvider, 0, len(needs.GetRequiredLaunchPlanIds()))
	err = r.store.View(func(tx *store.Tx) error {
		for _, id := range needs.GetRequiredTaskIds() {
			record, err := found(records.Tasks, tx, id)
			if err != nil {
				return err
			}
			tasks = append(tasks, record.Row.Closure.Value.GetCompiledTask())
		}
		for _, id := range needs.GetRequiredLaunchPlanIds() {
			record, err := found(records.LaunchPlans, tx, id)
			if err != nil {
				return err
			}
			plans = append(plans, compiler.NewLaunchPlanInterfaceProvider(launchPlanOf(record)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return compiler.CompileWorkflow(spec.GetTemplate(), spec.GetSubWorkflows(), tasks, plans)
}

// GetWorkflow answers with one version of a workflow and its compiled closure.
func (r *Registry) GetWorkflow(ctx context.Context, request *admin.ObjectGetRequest) (*admin.Workflow, error) {
	if err := fault.Identifier(request.GetId(), core.ResourceType_WORKFLOW); err != nil {
		return nil, err
	}
	record, err := r.Workflow(ctx, request.GetId())
	if err != nil {
		return nil, err
	}
	closure, err := r.Closure(ctx, record)
	if err != nil {
		return nil, err
	}
	return &admin.Workflow{Id: record.Row.ID.Value, Closure: closure, ShortDescription: record.Row.Summary}, nil
}

// Workflow reads the row of a workflow, without its closure.
func (r *Registry) Workflow(_ context.Context, id *core.Identifier) (store.Record[records.Workflow], error) {
	var record store.Record[records.Workflow]
	err := r.store.View(func(tx *store.Tx) error {
		var err error
		record, err = found(records.Workflows, tx, id)
		return err
	})
	return record, err
}

// Closure reads the compiled closure of a workflow from the blob store.
func (r *Registry) Closure(ctx context.Context, record store.Record[records.Workflow]) (*admin.WorkflowClosure, error) {
	closure := &admin.WorkflowClosure{}
	if err := r.blobs.Read(ctx, record.Row.ClosureURI, closure); err != nil {
		return nil, fault.Internal("workflow closure", err)
	}
	closure.CreatedAt = timestamppb.New(record.CreatedAt)
	return closure, nil
}

// workflowOf is a workflow in a list: without its closure, but with its interface.
func workflowOf(record store.Record[records.Workflow]) *admin.Workflow {
	row := record.Row
	return &admin.Workflow{
		Id: row.ID.Value,
		Closure: &admin.WorkflowClosure{
			CreatedAt: timestamppb.New(record.CreatedAt),
			CompiledWorkflow: &core.CompiledWorkflowClosure{
				Primary: &core.CompiledWorkflow{Template: &core.WorkflowTemplate{Interface: row.Interface.Value}},
			},
		},
		ShortDescription: row.Summary,
	}
}
