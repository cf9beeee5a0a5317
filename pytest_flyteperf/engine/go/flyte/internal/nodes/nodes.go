// Package nodes answers for node executions and task executions.
package nodes

import (
	"context"
	"errors"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/executions"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Service answers AdminService's reads below an execution.
type Service struct {
	store *store.Store
	blobs *blob.Store
}

// New makes the service.
func New(db *store.Store, blobs *blob.Store) *Service {
	return &Service{store: db, blobs: blobs}
}

type nodeRecord = store.Record[records.NodeExecution]

func (s *Service) node(id *core.NodeExecutionIdentifier) (nodeRecord, error) {
	var record nodeRecord
	if err := fault.Node(id); err != nil {
		return record, err
	}
	err := s.store.View(func(tx *store.Tx) error {
		var err error
		record, err = findNode(tx, id)
		return err
	})
	return record, err
}

func findNode(tx *store.Tx, id *core.NodeExecutionIdentifier) (nodeRecord, error) {
	record, err := records.NodeExecutions.Get(tx, records.NodeKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return record, fault.NotFound("node execution", id)
	}
	return record, err
}

// GetNodeExecution answers with a node execution. Unlike a list it does not look for children, so a branch is no parent here.
func (s *Service) GetNodeExecution(_ context.Context, request *admin.NodeExecutionGetRequest) (*admin.NodeExecution, error) {
	record, err := s.node(request.GetId())
	if err != nil {
		return nil, err
	}
	if record.Row.EventVersion > 0 {
		return nodeOf(record), nil
	}
	var node *admin.NodeExecution
	err = s.store.View(func(tx *store.Tx) error {
		siblings, err := records.NodeExecutions.Scan(tx, records.ExecutionKey(request.GetId().GetExecutionId()).Below())
		node = withChildren(record, parents(siblings))
		return err
	})
	return node, err
}

// ListNodeExecutions answers with the nodes at the top of an execution, or with those that unique_parent_id started.
func (s *Service) ListNodeExecutions(_ context.Context, request *admin.NodeExecutionListRequest) (*admin.NodeExecutionList, error) {
	id, parent := request.GetWorkflowExecutionId(), request.GetUniqueParentId()
	if err := fault.Execution(id); err != nil {
		return nil, err
	}
	return s.list(id, request, func(tx *store.Tx) (func(records.NodeExecution) bool, error) {
		if parent != "" {
			if _, err := findNode(tx, &core.NodeExecutionIdentifier{ExecutionId: id, NodeId: parent}); err != nil {
				return nil, err
			}
		}
		return func(row records.NodeExecution) bool { return row.ParentID == parent && row.ParentTask == "" }, nil
	})
}

// ListNodeExecutionsForTask answers with the nodes that a task execution started, as only old FlytePropellers report them.
func (s *Service) ListNodeExecutionsForTask(_ context.Context, request *admin.NodeExecutionForTaskListRequest) (*admin.NodeExecutionList, error) {
	id := request.GetTaskExecutionId()
	if err := fault.Task(id); err != nil {
		return nil, err
	}
	return s.list(id.GetNodeExecutionId().GetExecutionId(), request, func(tx *store.Tx) (func(records.NodeExecution) bool, error) {
		if _, err := findTask(tx, id); err != nil {
			return nil, err
		}
		return func(row records.NodeExecution) bool { return row.ParentTask == records.TaskKey(id) }, nil
	})
}

func (s *Service) list(id *core.WorkflowExecutionIdentifier, request listing.Request,
	choose func(*store.Tx) (func(records.NodeExecution) bool, error),
) (*admin.NodeExecutionList, error) {
	list := &admin.NodeExecutionList{}
	err := s.store.View(func(tx *store.Tx) error {
		chosen, err := choose(tx)
		if err != nil {
			return err
		}
		all, err := records.NodeExecutions.Scan(tx, records.ExecutionKey(id).Below())
		if err != nil {
			return err
		}
		var rows []nodeRecord
		for _, record := range all {
			if chosen(record.Row) {
				rows = append(rows, record)
			}
		}
		page, token, err := listing.Page(rows, "node_execution", nodeColumns, request)
		if err != nil {
			return err
		}
		list.Token = token
		with := parents(all)
		for _, record := range page {
			node := withChildren(record, with)
			if failure := node.GetClosure().GetError(); failure != nil {
				failure.Message = executions.Shorten(failure.GetMessage())
			}
			list.NodeExecutions = append(list.NodeExecutions, node)
		}
		return nil
	})
	return list, err
}

// parents are the ids of all nodes that have children.
func parents(all []nodeRecord) map[string]bool {
	with := map[string]bool{}
	for _, record := range all {
		with[record.Row.ParentID] = true
	}
	return with
}

func withChildren(record nodeRecord, parents map[string]bool) *admin.NodeExecution {
	node := nodeOf(record)
	metadata := node.GetMetadata()
	if !metadata.GetIsParentNode() && !metadata.GetIsDynamic() && parents[node.GetId().GetNodeId()] {
		metadata.IsParentNode = true
		metadata.IsDynamic = record.Row.DynamicClosureURI != ""
	}
	return node
}

func nodeOf(record nodeRecord) *admin.NodeExecution {
	row := record.Row
	return &admin.NodeExecution{Id: row.ID.Value, InputUri: row.InputURI, Closure: row.Closure.Value, Metadata: row.Metadata.Value}
}
