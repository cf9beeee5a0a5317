package registry

import (
	"bytes"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler"
	"github.com/flyteorg/flyte/flytestdlib/pbhash"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// CreateTask compiles and stores a task. The identical task again is AlreadyExists, another one under its id InvalidArgument.
func (r *Registry) CreateTask(ctx context.Context, request *admin.TaskCreateRequest) (*admin.TaskCreateResponse, error) {
	id := request.GetId()
	if err := fault.Identifier(id, core.ResourceType_TASK); err != nil {
		return nil, err
	}
	template := request.GetSpec().GetTemplate()
	if template == nil {
		return nil, fault.Missing("spec")
	}
	template.Id = id
	compiled, err := compiler.CompileTask(template)
	if err != nil {
		return nil, fault.Invalid("task failed compilation with %v", err)
	}
	digest, err := pbhash.ComputeHash(ctx, compiled)
	if err != nil {
		return nil, fault.Internal("task digest", err)
	}
	err = r.store.Update(func(tx *store.Tx) error {
		if err := r.place(tx, id.GetProject(), id.GetDomain()); err != nil {
			return err
		}
		if records.Tasks.Has(tx, records.IdentifierKey(id)) {
			existing, err := records.Tasks.Get(tx, records.IdentifierKey(id))
			if err != nil {
				return err
			}
			if bytes.Equal(existing.Row.Digest, digest) {
				return fault.Exists("task with identical structure already exists")
			}
			return fault.Invalid("%v task with different structure already exists. (Please register a new version of the task)", id.GetName())
		}
		return records.Tasks.Insert(tx, records.IdentifierKey(id), records.Task{
			ID:      store.Of(id),
			Closure: store.Of(&admin.TaskClosure{CompiledTask: compiled, CreatedAt: timestamppb.Now()}),
			Digest:  digest,
			Summary: request.GetSpec().GetDescription().GetShortDescription(),
		})
	})
	return &admin.TaskCreateResponse{}, err
}

// GetTask answers with one version of a task.
func (r *Registry) GetTask(ctx context.Context, request *admin.ObjectGetRequest) (*admin.Task, error) {
	if err := fault.Identifier(request.GetId(), core.ResourceType_TASK); err != nil {
		return nil, err
	}
	return r.Task(ctx, request.GetId())
}

// Task is GetTask for an id that is checked.
func (r *Registry) Task(_ context.Context, id *core.Identifier) (*admin.Task, error) {
	var task *admin.Task
	err := r.store.View(func(tx *store.Tx) error {
		record, err := found(records.Tasks, tx, id)
		task = taskOf(record)
		return err
	})
	return task, err
}

func taskOf(record store.Record[records.Task]) *admin.Task {
	row := record.Row
	return &admin.Task{Id: row.ID.Value, Closure: row.Closure.Value, ShortDescription: row.Summary}
}
