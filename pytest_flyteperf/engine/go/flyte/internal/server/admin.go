package server

import (
	"context"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/executions"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/nodes"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/registry"
)

// unanswered stands one level deeper than the services, whose methods therefore hide its own.
type unanswered struct {
	service.UnimplementedAdminServiceServer
}

// Admin is AdminService, answered by one service for each noun. What none of them answers is Unimplemented.
type Admin struct {
	unanswered
	*registry.Registry
	*Executions
	*Events
	*Nodes

	Version string
}

// Each service is embedded under a name of its own, because a struct has each name once.
type (
	// Executions launches and answers for executions.
	Executions = executions.Service
	// Events records what FlytePropeller reports.
	Events = events.Service
	// Nodes answers for what is below an execution.
	Nodes = nodes.Service
)

// GetVersion says that this is no FlyteAdmin.
func (a Admin) GetVersion(context.Context, *admin.GetVersionRequest) (*admin.GetVersionResponse, error) {
	return &admin.GetVersionResponse{ControlPlaneVersion: &admin.Version{Version: a.Version, Build: "stand-in"}}, nil
}
