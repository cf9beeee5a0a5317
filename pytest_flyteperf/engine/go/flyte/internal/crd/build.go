// Package crd builds the FlyteWorkflow object that FlytePropeller evaluates, as FlyteAdmin does, and hands it to the Kubernetes API.
package crd

import (
	"context"
	"fmt"
	"maps"
	"time"

	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/apis/flyteworkflow/v1alpha1"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler/transformers/k8s"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
)

const finalizer = "flyte.org/finalizer"

// Order is what one execution's object is made of.
type Order struct {
	ID         *core.WorkflowExecutionIdentifier
	Closure    *core.CompiledWorkflowClosure
	ClosureURI string
	Inputs     *core.LiteralMap
	InputsURI  string
	AcceptedAt time.Time
	Config     *admin.WorkflowExecutionConfig
	// Recovery is the execution whose results are taken over, nil for none.
	Recovery *core.WorkflowExecutionIdentifier
}

// Build makes the object for an order; the order is left as it is.
func Build(ctx context.Context, order Order, with settings.Settings) (*v1alpha1.FlyteWorkflow, error) {
	closure := proto.Clone(order.Closure).(*core.CompiledWorkflowClosure)
	for _, task := range closure.GetTasks() {
		adjustResources(ctx, task, with.TaskResources)
	}
	namespace := with.NamespaceOf(order.ID.GetProject(), order.ID.GetDomain())
	workflow, err := k8s.BuildFlyteWorkflow(closure, order.Inputs, order.ID, namespace)
	if err != nil {
		return nil, fmt.Errorf("workflow %v: build: %w", closure.GetPrimary().GetTemplate().GetId(), err)
	}
	workflow.ExecutionID = v1alpha1.WorkflowExecutionIdentifier{WorkflowExecutionIdentifier: order.ID}
	workflow.AcceptedAt = &metav1.Time{Time: order.AcceptedAt}
	workflow.Finalizers = append(workflow.Finalizers, finalizer)
	workflow.Labels = overlay(workflow.Labels, order.Config.GetLabels().GetValues())
	workflow.Annotations = overlay(workflow.Annotations, order.Config.GetAnnotations().GetValues())
	workflow.WorkflowMeta = &v1alpha1.WorkflowMeta{EventVersion: v1alpha1.EventVersion(with.Admin.EventVersion)}
	setSecurity(workflow, order.Config.GetSecurityContext())
	workflow.ExecutionConfig = executionConfig(order, with.TaskResources)
	if raw := order.Config.GetRawOutputDataConfig(); raw != nil {
		workflow.RawOutputDataConfig = v1alpha1.RawOutputDataConfig{RawOutputDataConfig: raw}
	}
	if with.Admin.UseOffloadedWorkflowClosure {
		workflow.WorkflowClosureReference = v1alpha1.DataReference(order.ClosureURI)
		workflow.WorkflowSpec, workflow.SubWorkflows, workflow.Tasks = nil, nil, nil
	}
	if with.Admin.UseOffloadedInputs {
		workflow.OffloadedInputs = v1alpha1.DataReference(order.InputsURI)
		workflow.Inputs = nil
	}
	return workflow, nil
}

func overlay(base, over map[string]string) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, base)
	maps.Copy(merged, over)
	return merged
}

func setSecurity(workflow *v1alpha1.FlyteWorkflow, security *core.SecurityContext) {
	if security.GetRunAs() == nil {
		return
	}
	proto.Merge(&workflow.SecurityContext, security)
	// FlyteAdmin names the annotation by flyteadmin.roleNameKey, which is empty by default.
	if role := security.GetRunAs().GetIamRole(); role != "" {
		workflow.Annotations[""] = role
	}
	if account := security.GetRunAs().GetK8SServiceAccount(); account != "" {
		workflow.ServiceAccountName = account
	}
}

func executionConfig(order Order, resources settings.TaskResources) v1alpha1.ExecutionConfig {
	config := v1alpha1.ExecutionConfig{
		TaskPluginImpls:   map[string]v1alpha1.TaskPluginOverride{},
		RecoveryExecution: v1alpha1.WorkflowExecutionIdentifier{WorkflowExecutionIdentifier: order.Recovery},
		MaxParallelism:    uint32(max(order.Config.GetMaxParallelism(), 0)),
		OverwriteCache:    order.Config.GetOverwriteCache(),
		TaskResources: v1alpha1.TaskResources{
			Requests: resourceSpec(resources.Defaults),
			Limits:   resourceSpec(resources.Limits),
		},
	}
	if interruptible := order.Config.GetInterruptible(); interruptible != nil {
		value := interruptible.GetValue()
		config.Interruptible = &value
	}
	if envs := order.Config.GetEnvs(); envs != nil {
		config.EnvironmentVariables = map[string]string{}
		for _, pair := range envs.GetValues() {
			config.EnvironmentVariables[pair.GetKey()] = pair.GetValue()
		}
	}
	return config
}

func resourceSpec(set settings.ResourceSet) v1alpha1.TaskResourceSpec {
	return v1alpha1.TaskResourceSpec{CPU: set.CPU, Memory: set.Memory, EphemeralStorage: set.EphemeralStorage, GPU: set.GPU}
}
