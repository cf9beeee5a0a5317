package fault

import (
	"strings"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
)

// Field is one named part of a request that must not be empty.
type Field struct{ Name, Value string }

// Fields refuses the first field that is empty, or that holds the character which separates parts of a stored key.
func Fields(fields ...Field) error {
	for _, field := range fields {
		if field.Value == "" {
			return Missing(field.Name)
		}
		if strings.ContainsRune(field.Value, 0) {
			return Invalid("%s %q must not contain a NUL character", field.Name, field.Value)
		}
	}
	return nil
}

// Identifier checks the id of a registered entity of the given kind.
func Identifier(id *core.Identifier, kind core.ResourceType) error {
	if id == nil {
		return Missing("id")
	}
	if id.GetResourceType() != kind {
		return Invalid("unexpected resource type %s for identifier [%v], expected %s instead",
			strings.ToLower(id.GetResourceType().String()), id, strings.ToLower(kind.String()))
	}
	return IdentifierSet(id)
}

// IdentifierSet checks an id whose kind is checked elsewhere.
func IdentifierSet(id *core.Identifier) error {
	if id == nil {
		return Missing("id")
	}
	return Fields(Field{"project", id.GetProject()}, Field{"domain", id.GetDomain()},
		Field{"name", id.GetName()}, Field{"version", id.GetVersion()})
}

// Named checks the name that versions share.
func Named(id *admin.NamedEntityIdentifier) error {
	if id == nil {
		return Missing("id")
	}
	return Fields(Field{"project", id.GetProject()}, Field{"domain", id.GetDomain()}, Field{"name", id.GetName()})
}

// Execution checks the id of a workflow execution.
func Execution(id *core.WorkflowExecutionIdentifier) error {
	if id == nil {
		return Missing("id")
	}
	return Fields(Field{"project", id.GetProject()}, Field{"domain", id.GetDomain()}, Field{"name", id.GetName()})
}

// Node checks the id of a node execution.
func Node(id *core.NodeExecutionIdentifier) error {
	if id == nil {
		return Missing("id")
	}
	if id.GetExecutionId() == nil {
		return Missing("execution_id")
	}
	if err := Fields(Field{"node_id", id.GetNodeId()}); err != nil {
		return err
	}
	return Execution(id.GetExecutionId())
}

// Task checks the id of a task execution.
func Task(id *core.TaskExecutionIdentifier) error {
	if id == nil {
		return Missing("id")
	}
	if id.GetNodeExecutionId() == nil {
		return Missing("node_execution_id")
	}
	if err := Node(id.GetNodeExecutionId()); err != nil {
		return err
	}
	return Identifier(id.GetTaskId(), core.ResourceType_TASK)
}
