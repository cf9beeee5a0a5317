package executions

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// longestListedMessage is how much of an error's message a list shows, in bytes.
const longestListedMessage = 100

// GetExecution answers with an execution.
func (s *Service) GetExecution(_ context.Context, request *admin.WorkflowExecutionGetRequest) (*admin.Execution, error) {
	record, err := s.read(request.GetId())
	if err != nil {
		return nil, err
	}
	return executionOf(record), nil
}

// GetExecutionData answers with the inputs and outputs of an execution.
func (s *Service) GetExecutionData(ctx context.Context, request *admin.WorkflowExecutionGetDataRequest) (*admin.WorkflowExecutionGetDataResponse, error) {
	record, err := s.read(request.GetId())
	if err != nil {
		return nil, err
	}
	inputs, outputs := s.blobs.Both(ctx, record.Row.InputsURI, record.Row.Closure.Value.GetOutputs().GetUri())
	return &admin.WorkflowExecutionGetDataResponse{
		Inputs: &admin.UrlBlob{}, Outputs: &admin.UrlBlob{}, FullInputs: inputs, FullOutputs: outputs,
	}, nil
}

// ListExecutions answers with executions that are not archived, unless a filter asks for a state.
func (s *Service) ListExecutions(_ context.Context, request *admin.ResourceListRequest) (*admin.ExecutionList, error) {
	id := request.GetId()
	if err := fault.Fields(fault.Field{Name: "project", Value: id.GetProject()}, fault.Field{Name: "domain", Value: id.GetDomain()}); err != nil {
		return nil, err
	}
	if !strings.Contains(request.GetFilters(), "(state,") {
		request.Filters = strings.TrimPrefix(request.GetFilters()+"+eq(state,0)", "+")
	}
	if id.GetName() != "" {
		request.Filters += "+eq(name," + id.GetName() + ")"
	}
	list := &admin.ExecutionList{}
	err := s.store.View(func(tx *store.Tx) error {
		all, err := records.Executions.Scan(tx, store.KeyOf(id.GetProject(), id.GetDomain()).Below())
		if err != nil {
			return err
		}
		page, token, err := listing.Page(all, "execution", columns, request)
		if err != nil {
			return err
		}
		list.Token = token
		for _, record := range page {
			execution := executionOf(record)
			if failure := execution.GetClosure().GetError(); failure != nil {
				failure.Message = Shorten(failure.GetMessage())
			}
			list.Executions = append(list.Executions, execution)
		}
		return nil
	})
	return list, err
}

// UpdateExecution archives an execution, or takes it out of the archive.
func (s *Service) UpdateExecution(_ context.Context, request *admin.ExecutionUpdateRequest) (*admin.ExecutionUpdateResponse, error) {
	if err := fault.Execution(request.GetId()); err != nil {
		return nil, err
	}
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := Find(tx, request.GetId())
		if err != nil {
			return err
		}
		record.Row.Closure.Value.StateChangeDetails = &admin.ExecutionStateChangeDetails{
			State: request.GetState(), OccurredAt: timestamppb.New(s.now()),
		}
		return records.Executions.Update(tx, records.ExecutionKey(request.GetId()), record)
	})
	return &admin.ExecutionUpdateResponse{}, err
}

// TerminateExecution marks an execution as being aborted and then asks the cluster to remove its object.
func (s *Service) TerminateExecution(ctx context.Context, request *admin.ExecutionTerminateRequest) (*admin.ExecutionTerminateResponse, error) {
	id := request.GetId()
	if err := fault.Execution(id); err != nil {
		return nil, err
	}
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := Find(tx, id)
		if err != nil {
			return err
		}
		if err := events.Abort(record.Row.Closure.Value, request.GetCause()); err != nil {
			return err
		}
		record.Row.AbortCause = request.GetCause()
		return records.Executions.Update(tx, records.ExecutionKey(id), record)
	})
	if err != nil {
		return nil, err
	}
	if err := s.cluster.Delete(ctx, s.settings.NamespaceOf(id.GetProject(), id.GetDomain()), id.GetName()); err != nil {
		return nil, fault.Internal("failed to terminate execution", err)
	}
	return &admin.ExecutionTerminateResponse{}, nil
}

// Shorten cuts a message for a list, at a character's boundary.
func Shorten(message string) string {
	if len(message) <= longestListedMessage {
		return message
	}
	return strings.ToValidUTF8(message[:longestListedMessage], "")
}

func executionOf(record store.Record[records.Execution]) *admin.Execution {
	row := record.Row
	closure := row.Closure.Value
	if closure.GetPhase() == core.WorkflowExecution_ABORTED && closure.GetAbortMetadata() == nil {
		closure.OutputResult = &admin.ExecutionClosure_AbortMetadata{AbortMetadata: &admin.AbortMetadata{Cause: row.AbortCause}}
	}
	return &admin.Execution{Id: row.ID.Value, Spec: row.Spec.Value, Closure: closure}
}

type execution = store.Record[records.Execution]

var columns = listing.Base(listing.Columns[records.Execution]{
	"execution_project": func(r execution) any { return r.Row.ID.Value.GetProject() },
	"execution_domain":  func(r execution) any { return r.Row.ID.Value.GetDomain() },
	"execution_name":    func(r execution) any { return r.Row.ID.Value.GetName() },
	"project":           func(r execution) any { return r.Row.ID.Value.GetProject() },
	"domain":            func(r execution) any { return r.Row.ID.Value.GetDomain() },
	"name":              func(r execution) any { return r.Row.ID.Value.GetName() },
	"phase":             func(r execution) any { return r.Row.Closure.Value.GetPhase().String() },
	"mode":              func(r execution) any { return int64(r.Row.Spec.Value.GetMetadata().GetMode()) },
	"state":             func(r execution) any { return int64(r.Row.Closure.Value.GetStateChangeDetails().GetState()) },
	"user":              func(r execution) any { return r.Row.Spec.Value.GetMetadata().GetPrincipal() },
	"abort_cause":       func(r execution) any { return r.Row.AbortCause },
	"error_kind": func(r execution) any {
		return listing.Text(r.Row.Closure.Value.GetError() != nil, r.Row.Closure.Value.GetError().GetKind().String())
	},
	"error_code": func(r execution) any {
		return listing.Text(r.Row.Closure.Value.GetError() != nil, r.Row.Closure.Value.GetError().GetCode())
	},
	"launch_entity":        func(r execution) any { return r.Row.LaunchEntity },
	"started_at":           func(r execution) any { return listing.Moment(r.Row.Closure.Value.GetStartedAt()) },
	"execution_created_at": func(r execution) any { return listing.Moment(r.Row.Closure.Value.GetCreatedAt()) },
	"execution_updated_at": func(r execution) any { return listing.Moment(r.Row.Closure.Value.GetUpdatedAt()) },
	"duration":             func(r execution) any { return listing.Length(r.Row.Closure.Value.GetDuration()) },
	"launch_plan.name":     func(r execution) any { return r.Row.Spec.Value.GetLaunchPlan().GetName() },
	"launch_plan.version":  func(r execution) any { return r.Row.Spec.Value.GetLaunchPlan().GetVersion() },
	"workflow.name":        func(r execution) any { return r.Row.Closure.Value.GetWorkflowId().GetName() },
	"workflow.version":     func(r execution) any { return r.Row.Closure.Value.GetWorkflowId().GetVersion() },
	"task.name":            func(r execution) any { return r.Row.Spec.Value.GetLaunchPlan().GetName() },
})
