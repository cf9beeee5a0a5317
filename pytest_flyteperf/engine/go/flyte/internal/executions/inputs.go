package executions

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/registry"
)

const longestName = 63

var nameForm = regexp.MustCompile(`^[a-z][a-z\-0-9]*$`)

// checkRequest refuses what FlyteAdmin refuses before it reads anything.
func checkRequest(request *admin.ExecutionCreateRequest) error {
	if err := fault.Fields(fault.Field{Name: "project", Value: request.GetProject()}, fault.Field{Name: "domain", Value: request.GetDomain()}); err != nil {
		return err
	}
	if name := request.GetName(); name != "" {
		if len(name) > longestName {
			return fault.Invalid("size of name exceeded length %d : %s", longestName, name)
		}
		if !nameForm.MatchString(strings.ToLower(name)) {
			return fault.Invalid("invalid name format: %s, does not match regex '%s'", name, nameForm)
		}
	}
	if request.GetSpec() == nil {
		return fault.Missing("spec")
	}
	target := request.GetSpec().GetLaunchPlan()
	if err := fault.IdentifierSet(target); err != nil {
		return err
	}
	if kind := target.GetResourceType(); kind != core.ResourceType_LAUNCH_PLAN && kind != core.ResourceType_TASK {
		return fault.Invalid("Invalid reference entity resource type [%v], only launch plans and tasks are allowed", kind)
	}
	for name, literal := range request.GetInputs().GetLiterals() {
		if literal.GetValue() == nil && literal.GetOffloadedMetadata() == nil {
			return fault.Invalid("missing valid literal in inputs %s", name)
		}
	}
	return checkLabels(request.GetSpec().GetLabels())
}

func checkLabels(labels *admin.Labels) error {
	for key, value := range labels.GetValues() {
		if problems := validation.IsQualifiedName(key); len(problems) > 0 {
			return fault.Invalid("invalid label key [%s]: %v", key, problems)
		}
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			return fault.Invalid("invalid label value [%s]: %v", value, problems)
		}
	}
	return nil
}

// executionInputs are what the workflow runs with: the user's values, then the launch plan's defaults and fixed ones.
func executionInputs(given, fixed *core.LiteralMap, expected *core.ParameterMap) (*core.LiteralMap, error) {
	literals := map[string]*core.Literal{}
	for name, literal := range given.GetLiterals() {
		parameter, known := expected.GetParameters()[name]
		if !known {
			return nil, fault.Invalid("invalid input %s", name)
		}
		if err := registry.CheckLiteral(name, literal, parameter.GetVar().GetType()); err != nil {
			return nil, err
		}
		literals[name] = literal
	}
	for name, parameter := range expected.GetParameters() {
		if _, set := literals[name]; set {
			continue
		}
		if parameter.GetRequired() {
			return nil, fault.Invalid("expected_inputs %s missing", name)
		}
		literals[name] = parameter.GetDefault()
	}
	for name, literal := range fixed.GetLiterals() {
		if _, set := literals[name]; set {
			return nil, fault.Invalid("fixed_inputs %s cannot be overridden", name)
		}
		literals[name] = literal
	}
	return &core.LiteralMap{Literals: literals}, nil
}
