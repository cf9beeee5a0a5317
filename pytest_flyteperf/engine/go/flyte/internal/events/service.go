package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Service answers the event calls of AdminService. An event is on disk before it is answered.
type Service struct {
	store    *store.Store
	blobs    *blob.Store
	launches *inflight.Launches
}

// New makes the service. Events of what is in launches wait until it is launched.
func New(db *store.Store, blobs *blob.Store, launches *inflight.Launches) *Service {
	return &Service{store: db, blobs: blobs, launches: launches}
}

// CreateWorkflowEvent records a phase of an execution.
func (s *Service) CreateWorkflowEvent(ctx context.Context, request *admin.WorkflowExecutionEventRequest) (*admin.WorkflowExecutionEventResponse, error) {
	e := request.GetEvent()
	if e == nil {
		return nil, fault.Invalid("Workflow event handler was called without event")
	}
	if err := fault.Execution(e.GetExecutionId()); err != nil {
		return nil, err
	}
	if outputs := e.GetOutputData(); outputs != nil {
		id := e.GetExecutionId()
		uri, err := s.blobs.WriteInputs(ctx, outputs, id.GetProject(), id.GetDomain(), id.GetName(), offloadedOutputs)
		if err != nil {
			return nil, fault.Internal("outputs of the event", err)
		}
		e.OutputResult = &event.WorkflowExecutionEvent_OutputUri{OutputUri: uri}
	}
	key := records.ExecutionKey(e.GetExecutionId())
	if err := s.launches.Wait(ctx, key); err != nil {
		return nil, err
	}
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := execution(tx, e.GetExecutionId())
		if err != nil {
			return err
		}
		if err := ApplyWorkflow(record.Row.Closure.Value, e); err != nil {
			return err
		}
		return records.Executions.Update(tx, key, record)
	})
	return &admin.WorkflowExecutionEventResponse{}, err
}

// CreateNodeEvent records a phase of a node; its first event makes the node execution.
func (s *Service) CreateNodeEvent(ctx context.Context, request *admin.NodeExecutionEventRequest) (*admin.NodeExecutionEventResponse, error) {
	e := request.GetEvent()
	if e == nil {
		return nil, fault.Missing("event")
	}
	if err := fault.Node(e.GetId()); err != nil {
		return nil, err
	}
	if err := s.offloadNode(ctx, e); err != nil {
		return nil, err
	}
	closureURI, err := s.dynamicClosure(ctx, e)
	if err != nil {
		return nil, err
	}
	key := records.NodeKey(e.GetId())
	err = s.store.Update(func(tx *store.Tx) error {
		if _, err := execution(tx, e.GetId().GetExecutionId()); err != nil {
			return err
		}
		record, err := records.NodeExecutions.Get(tx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			row := NewNode(e)
			row.DynamicClosureURI = closureURI
			if err := setParents(tx, &row, e); err != nil {
				return err
			}
			return records.NodeExecutions.Insert(tx, key, row)
		case err != nil:
			return err
		}
		if err := AcceptNode(record.Row, e); err != nil {
			return err
		}
		if child := e.GetWorkflowNodeMetadata().GetExecutionId(); child != nil {
			if _, err := execution(tx, child); err != nil {
				return err
			}
		}
		ApplyNode(&record.Row, e)
		if closureURI != "" {
			record.Row.DynamicClosureURI = closureURI
		}
		return records.NodeExecutions.Update(tx, key, record)
	})
	return &admin.NodeExecutionEventResponse{}, err
}

// CreateTaskEvent records a phase of an attempt; its first event makes the task execution.
func (s *Service) CreateTaskEvent(ctx context.Context, request *admin.TaskExecutionEventRequest) (*admin.TaskExecutionEventResponse, error) {
	e := request.GetEvent()
	if e == nil {
		return nil, fault.Missing("event")
	}
	if err := fault.Task(TaskID(e)); err != nil {
		return nil, err
	}
	if err := s.offloadTask(ctx, e); err != nil {
		return nil, err
	}
	key := records.TaskKey(TaskID(e))
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := records.TaskExecutions.Get(tx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if !records.NodeExecutions.Has(tx, records.NodeKey(e.GetParentNodeExecutionId())) {
				return fault.NotFound("node execution", e.GetParentNodeExecutionId())
			}
			return records.TaskExecutions.Insert(tx, key, NewTask(e))
		case err != nil:
			return err
		}
		if err := AcceptTask(record.Row, e); err != nil {
			return err
		}
		if err := ApplyTask(&record.Row, e); err != nil {
			return err
		}
		return records.TaskExecutions.Update(tx, key, record)
	})
	return &admin.TaskExecutionEventResponse{}, err
}

func execution(tx *store.Tx, id *core.WorkflowExecutionIdentifier) (store.Record[records.Execution], error) {
	record, err := records.Executions.Get(tx, records.ExecutionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return record, fault.NotFound("execution", id)
	}
	if err != nil {
		return record, fmt.Errorf("execution %v: %w", id, err)
	}
	return record, nil
}

func setParents(tx *store.Tx, row *records.NodeExecution, e *event.NodeExecutionEvent) error {
	if task := e.GetParentTaskMetadata().GetId(); task != nil {
		row.ParentTask = records.TaskKey(task)
		if !records.TaskExecutions.Has(tx, row.ParentTask) {
			return fault.NotFound("task execution", task)
		}
	}
	if row.ParentID == "" {
		return nil
	}
	parent := &core.NodeExecutionIdentifier{ExecutionId: e.GetId().GetExecutionId(), NodeId: row.ParentID}
	if !records.NodeExecutions.Has(tx, records.NodeKey(parent)) {
		return fault.NotFound("node execution", parent)
	}
	return nil
}
