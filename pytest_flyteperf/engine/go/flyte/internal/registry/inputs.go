package registry

import (
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler/validators"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

// expectedInputs are the inputs that a launch plan leaves open: its defaults, and what the workflow wants and the plan does not fix.
func expectedInputs(wanted *core.VariableMap, fixed *core.LiteralMap, defaults *core.ParameterMap) (*core.ParameterMap, error) {
	expected := map[string]*core.Parameter{}
	for name, parameter := range defaults.GetParameters() {
		variable, known := wanted.GetVariables()[name]
		if !known {
			return nil, fault.Invalid("unexpected default_input %s", name)
		}
		if err := checkParameter(name, parameter); err != nil {
			return nil, err
		}
		if !validators.AreTypesCastable(parameter.GetVar().GetType(), variable.GetType()) {
			return nil, fault.Invalid("invalid default_input wrong type %s, expected %v, got %v instead",
				name, parameter.GetVar().GetType(), variable.GetType())
		}
		expected[name] = parameter
	}
	for name, literal := range fixed.GetLiterals() {
		variable, known := wanted.GetVariables()[name]
		if !known {
			return nil, fault.Invalid("unexpected fixed_input %s", name)
		}
		if err := CheckLiteral(name, literal, variable.GetType()); err != nil {
			return nil, err
		}
	}
	for name, variable := range wanted.GetVariables() {
		_, hasDefault := expected[name]
		_, isFixed := fixed.GetLiterals()[name]
		if hasDefault || isFixed {
			continue
		}
		expected[name] = &core.Parameter{
			Var:      &core.Variable{Type: variable.GetType(), Description: variable.GetDescription()},
			Behavior: &core.Parameter_Required{Required: true},
		}
	}
	return &core.ParameterMap{Parameters: expected}, nil
}

func checkParameter(name string, parameter *core.Parameter) error {
	if parameter.GetVar().GetType() == nil {
		return fault.Invalid("The Variable component of the Parameter %s in default_inputs either is missing, or has a missing Type", name)
	}
	if parameter.GetDefault() == nil {
		if parameter.GetRequired() {
			return nil
		}
		return fault.Invalid("Invalid variable %s in default_inputs - variable has neither default, nor is required. One must be specified", name)
	}
	return CheckLiteral(name, parameter.GetDefault(), parameter.GetVar().GetType())
}

// CheckLiteral refuses a value that is not of the type, nor can be cast to it.
func CheckLiteral(name string, literal *core.Literal, wanted *core.LiteralType) error {
	given := validators.LiteralTypeForLiteral(literal)
	if err := validators.ValidateLiteralType(given); err != nil {
		return fault.Invalid("Failed to validate literal type for [%s] with err: %s", name, err)
	}
	if !validators.AreTypesCastable(given, wanted) {
		return fault.Invalid("invalid %s input wrong type. Expected %s, but got %s", name, wanted, given)
	}
	return nil
}
