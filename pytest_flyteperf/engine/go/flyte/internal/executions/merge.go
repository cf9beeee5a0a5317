package executions

import (
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
)

// preferences are what a request, a launch plan or the configuration may say about an execution.
type preferences interface {
	GetMaxParallelism() int32
	GetSecurityContext() *core.SecurityContext
	GetRawOutputDataConfig() *admin.RawOutputDataConfig
	GetLabels() *admin.Labels
	GetAnnotations() *admin.Annotations
	GetInterruptible() *wrapperspb.BoolValue
	GetOverwriteCache() bool
	GetEnvs() *admin.Envs
}

// executionConfig merges what is asked for: the request first, then the launch plan (nil for a single task), then the configuration.
func executionConfig(request *admin.ExecutionSpec, plan *admin.LaunchPlanSpec, maxParallelism int32) *admin.WorkflowExecutionConfig {
	config := &admin.WorkflowExecutionConfig{}
	fill(config, request)
	if plan != nil {
		fill(config, plan)
	}
	if config.GetSecurityContext() == nil {
		config.SecurityContext = fromRole(role(request, plan))
	}
	if config.GetMaxParallelism() == 0 {
		config.MaxParallelism = maxParallelism
	}
	if config.GetSecurityContext().GetRunAs() == nil {
		config.SecurityContext = &core.SecurityContext{RunAs: &core.Identity{}}
	}
	return config
}

// fill sets what config leaves open. An empty message says nothing.
func fill(config *admin.WorkflowExecutionConfig, from preferences) {
	if config.GetMaxParallelism() == 0 {
		config.MaxParallelism = from.GetMaxParallelism()
	}
	if config.GetSecurityContext() == nil && saysWho(from.GetSecurityContext()) {
		config.SecurityContext = from.GetSecurityContext()
	}
	if config.GetRawOutputDataConfig() == nil && from.GetRawOutputDataConfig().GetOutputLocationPrefix() != "" {
		config.RawOutputDataConfig = from.GetRawOutputDataConfig()
	}
	if config.GetLabels() == nil && len(from.GetLabels().GetValues()) > 0 {
		config.Labels = from.GetLabels()
	}
	if config.GetAnnotations() == nil && len(from.GetAnnotations().GetValues()) > 0 {
		config.Annotations = from.GetAnnotations()
	}
	if config.GetInterruptible() == nil {
		config.Interruptible = from.GetInterruptible()
	}
	config.OverwriteCache = config.GetOverwriteCache() || from.GetOverwriteCache()
	if config.GetEnvs() == nil && len(from.GetEnvs().GetValues()) > 0 {
		config.Envs = from.GetEnvs()
	}
}

func saysWho(security *core.SecurityContext) bool {
	identity := security.GetRunAs()
	return identity.GetK8SServiceAccount() != "" || identity.GetIamRole() != "" || identity.GetExecutionIdentity() != ""
}

// role finds the deprecated ways to say who an execution runs as.
func role(request *admin.ExecutionSpec, plan *admin.LaunchPlanSpec) *admin.AuthRole {
	switch {
	case request.GetAuthRole() != nil:
		return request.GetAuthRole()
	case plan.GetAuthRole() != nil:
		return plan.GetAuthRole()
	case plan.GetAuth() != nil:
		return &admin.AuthRole{
			AssumableIamRole:         plan.GetAuth().GetAssumableIamRole(),
			KubernetesServiceAccount: plan.GetAuth().GetKubernetesServiceAccount(),
		}
	default:
		return &admin.AuthRole{AssumableIamRole: plan.GetRole()}
	}
}

func fromRole(role *admin.AuthRole) *core.SecurityContext {
	security := &core.SecurityContext{RunAs: &core.Identity{
		IamRole: role.GetAssumableIamRole(), K8SServiceAccount: role.GetKubernetesServiceAccount(),
	}}
	if !saysWho(security) {
		return nil
	}
	return security
}
