package registry

import (
	"context"
	"strings"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

const (
	generatedPrefix     = ".flytegen."
	longestGeneratedID  = 63
	defaultTaskAttempts = 3
)

// WorkflowForTask finds the workflow of one node that a task is run in when it is launched by itself, and makes it the first time.
func (r *Registry) WorkflowForTask(ctx context.Context, id *core.Identifier) (store.Record[records.Workflow], error) {
	task, err := r.Task(ctx, id)
	if err != nil {
		return store.Record[records.Workflow]{}, err
	}
	wrapper := &core.Identifier{
		ResourceType: core.ResourceType_WORKFLOW,
		Project:      id.GetProject(), Domain: id.GetDomain(), Name: generatedPrefix + id.GetName(), Version: id.GetVersion(),
	}
	existing, err := r.Workflow(ctx, wrapper)
	if status.Code(err) != codes.NotFound {
		return existing, err
	}
	_, err = r.CreateWorkflow(ctx, &admin.WorkflowCreateRequest{Id: wrapper, Spec: &admin.WorkflowSpec{Template: wrap(wrapper, id, task)}})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return store.Record[records.Workflow]{}, err
	}
	name := &admin.NamedEntityIdentifier{Project: wrapper.GetProject(), Domain: wrapper.GetDomain(), Name: wrapper.GetName()}
	_, err = r.UpdateNamedEntity(ctx, &admin.NamedEntityUpdateRequest{
		ResourceType: core.ResourceType_WORKFLOW, Id: name,
		Metadata: &admin.NamedEntityMetadata{State: admin.NamedEntityState_SYSTEM_GENERATED},
	})
	if err != nil {
		return store.Record[records.Workflow]{}, err
	}
	return r.Workflow(ctx, wrapper)
}

func wrap(wrapper, id *core.Identifier, task *admin.Task) *core.WorkflowTemplate {
	template := task.GetClosure().GetCompiledTask().GetTemplate()
	retries := template.GetMetadata().GetRetries()
	if retries == nil {
		retries = &core.RetryStrategy{Retries: defaultTaskAttempts}
	}
	node := nodeName(id.GetName())
	return &core.WorkflowTemplate{
		Id:        wrapper,
		Interface: template.GetInterface(),
		Nodes: []*core.Node{{
			Id:       node,
			Metadata: &core.NodeMetadata{Name: node, Retries: retries},
			Inputs:   bindings(template.GetInterface().GetInputs(), ""),
			Target: &core.Node_TaskNode{TaskNode: &core.TaskNode{
				Reference: &core.TaskNode_ReferenceId{ReferenceId: id},
			}},
		}},
		Outputs: bindings(template.GetInterface().GetOutputs(), node),
	}
}

// nodeName is the end of a task's name, without the characters that a node id may not have.
func nodeName(task string) string {
	if len(task) >= longestGeneratedID {
		task = task[len(task)-longestGeneratedID:]
	}
	return strings.Map(func(char rune) rune {
		if char == '-' || unicode.IsLetter(char) || unicode.IsNumber(char) {
			return char
		}
		return -1
	}, task)
}

func bindings(variables *core.VariableMap, node string) []*core.Binding {
	bound := make([]*core.Binding, 0, len(variables.GetVariables()))
	for name := range variables.GetVariables() {
		bound = append(bound, &core.Binding{Var: name, Binding: &core.BindingData{Value: &core.BindingData_Promise{
			Promise: &core.OutputReference{NodeId: node, Var: name},
		}}})
	}
	return bound
}
