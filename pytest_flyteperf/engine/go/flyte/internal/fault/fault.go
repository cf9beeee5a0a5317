// Package fault makes the gRPC errors that FlyteAdmin answers with: flytekit and FlytePropeller act on their codes and details.
package fault

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
)

// Invalid refuses a request whose content is wrong.
func Invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// Missing refuses a request that lacks a field.
func Missing(field string) error {
	return Invalid("missing %s", field)
}

// NotFound says that what the request names is not stored.
func NotFound(kind string, id fmt.Stringer) error {
	return status.Errorf(codes.NotFound, "missing entity of type %s with identifier %v", kind, id)
}

// Exists says that an identical thing is stored already.
func Exists(format string, args ...any) error {
	return status.Errorf(codes.AlreadyExists, format, args...)
}

// Refused says that the present state does not allow the request.
func Refused(format string, args ...any) error {
	return status.Errorf(codes.FailedPrecondition, format, args...)
}

// Internal reports a failure of the stand-in or of what it depends on.
func Internal(what string, err error) error {
	return status.Errorf(codes.Internal, "%s: %v", what, err)
}

// Terminal refuses an event for something that has ended in phase. FlytePropeller reads the detail and stops sending.
func Terminal(phase string, format string, args ...any) error {
	return detailed(codes.FailedPrecondition, fmt.Sprintf(format, args...), &admin.EventFailureReason{
		Reason: &admin.EventFailureReason_AlreadyInTerminalState{
			AlreadyInTerminalState: &admin.EventErrorAlreadyInTerminalState{CurrentPhase: phase},
		},
	})
}

// WorkflowExists says that the identical workflow is registered already.
func WorkflowExists(reason *admin.CreateWorkflowFailureReason) error {
	return detailed(codes.AlreadyExists, "workflow with identical structure already exists", reason)
}

// WorkflowDiffers refuses another workflow under a version that is taken.
func WorkflowDiffers(name string, reason *admin.CreateWorkflowFailureReason) error {
	return detailed(codes.InvalidArgument,
		name+" workflow with different structure already exists. (Please register a new version of the workflow)", reason)
}

func detailed(code codes.Code, message string, detail protoadapt.MessageV1) error {
	plain := status.New(code, message)
	with, err := plain.WithDetails(detail)
	if err != nil {
		return plain.Err()
	}
	return with.Err()
}
