package nodes

import (
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
)

var nodeColumns = listing.Base(listing.Columns[records.NodeExecution]{
	"execution_project": func(r nodeRecord) any { return r.Row.ID.Value.GetExecutionId().GetProject() },
	"execution_domain":  func(r nodeRecord) any { return r.Row.ID.Value.GetExecutionId().GetDomain() },
	"execution_name":    func(r nodeRecord) any { return r.Row.ID.Value.GetExecutionId().GetName() },
	"node_id":           func(r nodeRecord) any { return r.Row.ID.Value.GetNodeId() },
	"phase":             func(r nodeRecord) any { return r.Row.Closure.Value.GetPhase().String() },
	"input_uri":         func(r nodeRecord) any { return r.Row.InputURI },
	"started_at":        func(r nodeRecord) any { return listing.Moment(r.Row.Closure.Value.GetStartedAt()) },
	"duration":          func(r nodeRecord) any { return listing.Length(r.Row.Closure.Value.GetDuration()) },
	"node_execution_created_at": func(r nodeRecord) any {
		return listing.Moment(r.Row.Closure.Value.GetCreatedAt())
	},
	"node_execution_updated_at": func(r nodeRecord) any {
		return listing.Moment(r.Row.Closure.Value.GetUpdatedAt())
	},
	"error_kind": func(r nodeRecord) any {
		failure := r.Row.Closure.Value.GetError()
		return listing.Text(failure != nil, failure.GetKind().String())
	},
	"error_code": func(r nodeRecord) any {
		failure := r.Row.Closure.Value.GetError()
		return listing.Text(failure != nil, failure.GetCode())
	},
	"cache_status": func(r nodeRecord) any {
		metadata := r.Row.Closure.Value.GetTaskNodeMetadata()
		return listing.Text(metadata.GetCatalogKey() != nil, metadata.GetCacheStatus().String())
	},
})

var taskColumns = listing.Base(listing.Columns[records.TaskExecution]{
	"execution_project": func(r taskRecord) any { return r.Row.ID.Value.GetNodeExecutionId().GetExecutionId().GetProject() },
	"execution_domain":  func(r taskRecord) any { return r.Row.ID.Value.GetNodeExecutionId().GetExecutionId().GetDomain() },
	"execution_name":    func(r taskRecord) any { return r.Row.ID.Value.GetNodeExecutionId().GetExecutionId().GetName() },
	"node_id":           func(r taskRecord) any { return r.Row.ID.Value.GetNodeExecutionId().GetNodeId() },
	"project":           func(r taskRecord) any { return r.Row.ID.Value.GetTaskId().GetProject() },
	"domain":            func(r taskRecord) any { return r.Row.ID.Value.GetTaskId().GetDomain() },
	"name":              func(r taskRecord) any { return r.Row.ID.Value.GetTaskId().GetName() },
	"version":           func(r taskRecord) any { return r.Row.ID.Value.GetTaskId().GetVersion() },
	"retry_attempt":     func(r taskRecord) any { return int64(r.Row.ID.Value.GetRetryAttempt()) },
	"phase":             func(r taskRecord) any { return r.Row.Closure.Value.GetPhase().String() },
	"phase_version":     func(r taskRecord) any { return int64(r.Row.PhaseVersion) },
	"input_uri":         func(r taskRecord) any { return r.Row.InputURI },
	"started_at":        func(r taskRecord) any { return listing.Moment(r.Row.Closure.Value.GetStartedAt()) },
	"duration":          func(r taskRecord) any { return listing.Length(r.Row.Closure.Value.GetDuration()) },
	"task_execution_created_at": func(r taskRecord) any {
		return listing.Moment(r.Row.Closure.Value.GetCreatedAt())
	},
	"task_execution_updated_at": func(r taskRecord) any {
		return listing.Moment(r.Row.Closure.Value.GetUpdatedAt())
	},
})
