// Package records is what the stand-in stores: one row type, table and key for each of FlyteAdmin's nouns.
package records

import (
	"fmt"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Task is a registered task.
type Task struct {
	ID      store.Message[core.Identifier, *core.Identifier]
	Closure store.Message[admin.TaskClosure, *admin.TaskClosure]
	Digest  []byte
	Summary string
}

// Workflow is a registered workflow; its compiled closure lies in the blob store at ClosureURI.
type Workflow struct {
	ID         store.Message[core.Identifier, *core.Identifier]
	Interface  store.Message[core.TypedInterface, *core.TypedInterface]
	ClosureURI string
	Digest     []byte
	Summary    string
}

// LaunchPlan is a registered launch plan. Of all versions of a name at most one is active.
type LaunchPlan struct {
	ID      store.Message[core.Identifier, *core.Identifier]
	Spec    store.Message[admin.LaunchPlanSpec, *admin.LaunchPlanSpec]
	Closure store.Message[admin.LaunchPlanClosure, *admin.LaunchPlanClosure]
	State   admin.LaunchPlanState
	Digest  []byte
}

// NamedEntity is what users say about all versions of a name.
type NamedEntity struct {
	Metadata store.Message[admin.NamedEntityMetadata, *admin.NamedEntityMetadata]
}

// Project is a registered project.
type Project struct {
	Project store.Message[admin.Project, *admin.Project]
}

// Execution is a workflow execution. AbortCause outlives the event that ends an aborted execution with an error.
type Execution struct {
	ID            store.Message[core.WorkflowExecutionIdentifier, *core.WorkflowExecutionIdentifier]
	Spec          store.Message[admin.ExecutionSpec, *admin.ExecutionSpec]
	Closure       store.Message[admin.ExecutionClosure, *admin.ExecutionClosure]
	InputsURI     string
	UserInputsURI string
	LaunchEntity  string
	AbortCause    string
}

// NodeExecution is the execution of a node. ParentID is the unique id of the node it was started in, empty at the top.
type NodeExecution struct {
	ID                store.Message[core.NodeExecutionIdentifier, *core.NodeExecutionIdentifier]
	Closure           store.Message[admin.NodeExecutionClosure, *admin.NodeExecutionClosure]
	Metadata          store.Message[admin.NodeExecutionMetaData, *admin.NodeExecutionMetaData]
	InputURI          string
	ParentID          string
	ParentTask        store.Key
	DynamicClosureURI string
	EventVersion      int32
}

// TaskExecution is one attempt of a task.
type TaskExecution struct {
	ID           store.Message[core.TaskExecutionIdentifier, *core.TaskExecutionIdentifier]
	Closure      store.Message[admin.TaskExecutionClosure, *admin.TaskExecutionClosure]
	InputURI     string
	PhaseVersion uint32
}

// Signal is a value that a gate node waits for; Value is absent until it is set.
type Signal struct {
	ID    store.Message[core.SignalIdentifier, *core.SignalIdentifier]
	Type  store.Message[core.LiteralType, *core.LiteralType]
	Value store.Message[core.Literal, *core.Literal]
}

// The tables.
var (
	Tasks          = store.NewTable[Task]("tasks")
	Workflows      = store.NewTable[Workflow]("workflows")
	LaunchPlans    = store.NewTable[LaunchPlan]("launch_plans")
	NamedEntities  = store.NewTable[NamedEntity]("named_entities")
	Projects       = store.NewTable[Project]("projects")
	Executions     = store.NewTable[Execution]("executions")
	NodeExecutions = store.NewTable[NodeExecution]("node_executions")
	TaskExecutions = store.NewTable[TaskExecution]("task_executions")
	Signals        = store.NewTable[Signal]("signals")
)

// IdentifierKey is the key of a registered task, workflow or launch plan.
func IdentifierKey(id *core.Identifier) store.Key {
	return store.KeyOf(id.GetProject(), id.GetDomain(), id.GetName(), id.GetVersion())
}

// NameKey is the key of a named entity of the given kind.
func NameKey(kind core.ResourceType, id *admin.NamedEntityIdentifier) store.Key {
	return store.KeyOf(kind.String(), id.GetProject(), id.GetDomain(), id.GetName())
}

// ExecutionKey is the key of a workflow execution.
func ExecutionKey(id *core.WorkflowExecutionIdentifier) store.Key {
	return store.KeyOf(id.GetProject(), id.GetDomain(), id.GetName())
}

// NodeKey is the key of a node execution.
func NodeKey(id *core.NodeExecutionIdentifier) store.Key {
	return ExecutionKey(id.GetExecutionId()).Below() + store.Key(id.GetNodeId())
}

// TaskKey is the key of a task execution: below its node's.
func TaskKey(id *core.TaskExecutionIdentifier) store.Key {
	task := id.GetTaskId()
	return NodeKey(id.GetNodeExecutionId()).Below() + store.KeyOf(
		task.GetProject(), task.GetDomain(), task.GetName(), task.GetVersion(), fmt.Sprintf("%010d", id.GetRetryAttempt()))
}

// SignalKey is the key of a signal.
func SignalKey(id *core.SignalIdentifier) store.Key {
	return ExecutionKey(id.GetExecutionId()).Below() + store.Key(id.GetSignalId())
}
