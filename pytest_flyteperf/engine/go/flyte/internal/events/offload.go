package events

import (
	"context"
	"strconv"
	"strings"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

const (
	offloadedInputs  = "offloaded_inputs"
	offloadedOutputs = "offloaded_outputs"
)

// offloadNode moves literals that came within the event into the blob store, before the event is judged, as FlyteAdmin does.
func (s *Service) offloadNode(ctx context.Context, e *event.NodeExecutionEvent) error {
	id := e.GetId()
	path := []string{id.GetExecutionId().GetProject(), id.GetExecutionId().GetDomain(), id.GetExecutionId().GetName(), id.GetNodeId()}
	if e.GetInputData() != nil {
		uri, err := s.offload(ctx, e.GetInputData(), path, offloadedInputs)
		if err != nil {
			return err
		}
		e.InputValue = &event.NodeExecutionEvent_InputUri{InputUri: uri}
	}
	if e.GetOutputData() != nil {
		uri, err := s.offload(ctx, e.GetOutputData(), path, offloadedOutputs)
		if err != nil {
			return err
		}
		e.OutputResult = &event.NodeExecutionEvent_OutputUri{OutputUri: uri}
	}
	return nil
}

func (s *Service) offloadTask(ctx context.Context, e *event.TaskExecutionEvent) error {
	node, task := e.GetParentNodeExecutionId(), e.GetTaskId()
	path := []string{
		node.GetExecutionId().GetProject(), node.GetExecutionId().GetDomain(), node.GetExecutionId().GetName(), node.GetNodeId(),
		task.GetProject(), task.GetDomain(), task.GetName(), task.GetVersion(), strconv.FormatUint(uint64(e.GetRetryAttempt()), 10),
	}
	if e.GetInputData() != nil {
		uri, err := s.offload(ctx, e.GetInputData(), path, offloadedInputs)
		if err != nil {
			return err
		}
		e.InputValue = &event.TaskExecutionEvent_InputUri{InputUri: uri}
	}
	if e.GetOutputData() != nil {
		uri, err := s.offload(ctx, e.GetOutputData(), path, offloadedOutputs)
		if err != nil {
			return err
		}
		e.OutputResult = &event.TaskExecutionEvent_OutputUri{OutputUri: uri}
	}
	return nil
}

func (s *Service) offload(ctx context.Context, literals *core.LiteralMap, path []string, name string) (string, error) {
	uri, err := s.blobs.WriteInputs(ctx, literals, append(path[:len(path):len(path)], name)...)
	if err != nil {
		return "", fault.Internal("literals of the event", err)
	}
	return uri, nil
}

// dynamicClosure writes the workflow that a dynamic task made, and returns where; empty if the event brings none.
func (s *Service) dynamicClosure(ctx context.Context, e *event.NodeExecutionEvent) (string, error) {
	made := e.GetTaskNodeMetadata().GetDynamicWorkflow()
	if made == nil {
		return "", nil
	}
	if err := fault.Identifier(made.GetId(), core.ResourceType_WORKFLOW); err != nil {
		return "", err
	}
	if made.GetCompiledWorkflow().GetPrimary().GetTemplate() == nil {
		return "", fault.Missing("primary dynamic workflow template")
	}
	id, execution := made.GetId(), e.GetId().GetExecutionId()
	uri, err := s.blobs.WriteClosure(ctx, made.GetCompiledWorkflow(),
		execution.GetProject(), execution.GetDomain(), execution.GetName(), e.GetId().GetNodeId(),
		strings.Join([]string{id.GetProject(), id.GetDomain(), id.GetName(), id.GetVersion()}, "_"))
	if err != nil {
		return "", fault.Internal("closure of a dynamic workflow", err)
	}
	return uri, nil
}
