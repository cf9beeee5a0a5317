package nodes

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

// GetNodeExecutionData answers with the inputs and outputs of a node, and with the workflow that a dynamic node made.
func (s *Service) GetNodeExecutionData(ctx context.Context, request *admin.NodeExecutionGetDataRequest) (*admin.NodeExecutionGetDataResponse, error) {
	record, err := s.node(request.GetId())
	if err != nil {
		return nil, err
	}
	closure := record.Row.Closure.Value
	inputs, outputs := s.blobs.Both(ctx, record.Row.InputURI, closure.GetOutputUri())
	response := &admin.NodeExecutionGetDataResponse{
		Inputs: &admin.UrlBlob{}, Outputs: &admin.UrlBlob{}, FullInputs: inputs, FullOutputs: outputs,
		FlyteUrls: urls(closure.GetDeckUri() != "", nodePath(request.GetId())),
	}
	if record.Row.DynamicClosureURI == "" {
		return response, nil
	}
	made, err := s.dynamic(ctx, record.Row.DynamicClosureURI)
	if err != nil {
		return nil, err
	}
	response.DynamicWorkflow = &admin.DynamicWorkflowNodeMetadata{
		Id: made.GetPrimary().GetTemplate().GetId(), CompiledWorkflow: made, DynamicJobSpecUri: closure.GetDynamicJobSpecUri(),
	}
	return response, nil
}

// GetDynamicNodeWorkflow answers with the workflow that a dynamic node made.
func (s *Service) GetDynamicNodeWorkflow(ctx context.Context, request *admin.GetDynamicNodeWorkflowRequest) (*admin.DynamicNodeWorkflowResponse, error) {
	record, err := s.node(request.GetId())
	if err != nil {
		return nil, err
	}
	if record.Row.DynamicClosureURI == "" {
		return nil, status.Error(codes.NotFound, "node does not contain dynamic workflow")
	}
	made, err := s.dynamic(ctx, record.Row.DynamicClosureURI)
	return &admin.DynamicNodeWorkflowResponse{CompiledWorkflow: made}, err
}

func (s *Service) dynamic(ctx context.Context, uri string) (*core.CompiledWorkflowClosure, error) {
	closure := &core.CompiledWorkflowClosure{}
	if err := s.blobs.Read(ctx, uri, closure); err != nil {
		return nil, fault.Internal("closure of a dynamic workflow", err)
	}
	return closure, nil
}

// GetTaskExecutionData answers with the inputs and outputs of an attempt.
func (s *Service) GetTaskExecutionData(ctx context.Context, request *admin.TaskExecutionGetDataRequest) (*admin.TaskExecutionGetDataResponse, error) {
	record, err := s.task(request.GetId())
	if err != nil {
		return nil, err
	}
	inputs, outputs := s.blobs.Both(ctx, record.Row.InputURI, record.Row.Closure.Value.GetOutputUri())
	id := request.GetId()
	return &admin.TaskExecutionGetDataResponse{
		Inputs: &admin.UrlBlob{}, Outputs: &admin.UrlBlob{}, FullInputs: inputs, FullOutputs: outputs,
		FlyteUrls: urls(false, nodePath(id.GetNodeExecutionId())+"/"+strconv.FormatUint(uint64(id.GetRetryAttempt()), 10)),
	}, nil
}

func nodePath(id *core.NodeExecutionIdentifier) string {
	execution := id.GetExecutionId()
	return fmt.Sprintf("flyte://v1/%s/%s/%s/%s", execution.GetProject(), execution.GetDomain(), execution.GetName(), id.GetNodeId())
}

func urls(deck bool, base string) *admin.FlyteURLs {
	all := &admin.FlyteURLs{Inputs: base + "/i", Outputs: base + "/o"}
	if deck {
		all.Deck = base + "/d"
	}
	return all
}
