package nodes

import (
	"context"
	"errors"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

type taskRecord = store.Record[records.TaskExecution]

func (s *Service) task(id *core.TaskExecutionIdentifier) (taskRecord, error) {
	var record taskRecord
	if err := fault.Task(id); err != nil {
		return record, err
	}
	err := s.store.View(func(tx *store.Tx) error {
		var err error
		record, err = findTask(tx, id)
		return err
	})
	return record, err
}

func findTask(tx *store.Tx, id *core.TaskExecutionIdentifier) (taskRecord, error) {
	record, err := records.TaskExecutions.Get(tx, records.TaskKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return record, fault.NotFound("task execution", id)
	}
	return record, err
}

// GetTaskExecution answers with one attempt of a task.
func (s *Service) GetTaskExecution(_ context.Context, request *admin.TaskExecutionGetRequest) (*admin.TaskExecution, error) {
	record, err := s.task(request.GetId())
	if err != nil {
		return nil, err
	}
	return taskOf(record), nil
}

// ListTaskExecutions answers with the attempts of a node's task.
func (s *Service) ListTaskExecutions(_ context.Context, request *admin.TaskExecutionListRequest) (*admin.TaskExecutionList, error) {
	if err := fault.Node(request.GetNodeExecutionId()); err != nil {
		return nil, err
	}
	list := &admin.TaskExecutionList{}
	err := s.store.View(func(tx *store.Tx) error {
		all, err := records.TaskExecutions.Scan(tx, records.NodeKey(request.GetNodeExecutionId()).Below())
		if err != nil {
			return err
		}
		page, token, err := listing.Page(all, "task_execution", taskColumns, request)
		list.Token = token
		for _, record := range page {
			list.TaskExecutions = append(list.TaskExecutions, taskOf(record))
		}
		return err
	})
	return list, err
}

func taskOf(record taskRecord) *admin.TaskExecution {
	row := record.Row
	return &admin.TaskExecution{Id: row.ID.Value, InputUri: row.InputURI, Closure: row.Closure.Value}
}
