package registry

import (
	"context"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

func identified[R any](id func(R) *core.Identifier, more listing.Columns[R]) listing.Columns[R] {
	columns := listing.Base(more)
	columns["project"] = func(r store.Record[R]) any { return id(r.Row).GetProject() }
	columns["domain"] = func(r store.Record[R]) any { return id(r.Row).GetDomain() }
	columns["name"] = func(r store.Record[R]) any { return id(r.Row).GetName() }
	columns["version"] = func(r store.Record[R]) any { return id(r.Row).GetVersion() }
	return columns
}

var (
	taskColumns = identified(
		func(row records.Task) *core.Identifier { return row.ID.Value },
		listing.Columns[records.Task]{
			"type": func(r store.Record[records.Task]) any {
				return r.Row.Closure.Value.GetCompiledTask().GetTemplate().GetType()
			},
			"short_description": func(r store.Record[records.Task]) any { return r.Row.Summary },
		})
	workflowColumns = identified(
		func(row records.Workflow) *core.Identifier { return row.ID.Value },
		listing.Columns[records.Workflow]{
			"short_description": func(r store.Record[records.Workflow]) any { return r.Row.Summary },
		})
	launchPlanColumns = identified(
		func(row records.LaunchPlan) *core.Identifier { return row.ID.Value },
		listing.Columns[records.LaunchPlan]{
			"state": func(r store.Record[records.LaunchPlan]) any { return int64(r.Row.State) },
			"workflow.name": func(r store.Record[records.LaunchPlan]) any {
				return r.Row.Spec.Value.GetWorkflowId().GetName()
			},
			"workflow.version": func(r store.Record[records.LaunchPlan]) any {
				return r.Row.Spec.Value.GetWorkflowId().GetVersion()
			},
		})
)

// scope is the prefix of keys that a list request is about; without a name it is the whole domain.
func scope(project, domain, name string) (store.Key, error) {
	if err := fault.Fields(fault.Field{Name: "project", Value: project}, fault.Field{Name: "domain", Value: domain}); err != nil {
		return "", err
	}
	if name == "" {
		return store.KeyOf(project, domain).Below(), nil
	}
	return store.KeyOf(project, domain, name).Below(), nil
}

func list[R any](r *Registry, table store.Table[R], entity string, columns listing.Columns[R], request *admin.ResourceListRequest) (
	[]store.Record[R], string, error,
) {
	id := request.GetId()
	prefix, err := scope(id.GetProject(), id.GetDomain(), id.GetName())
	if err != nil {
		return nil, "", err
	}
	var page []store.Record[R]
	var token string
	err = r.store.View(func(tx *store.Tx) error {
		all, err := table.Scan(tx, prefix)
		if err != nil {
			return err
		}
		page, token, err = listing.Page(all, entity, columns, request)
		return err
	})
	return page, token, err
}

func each[R, M any](page []store.Record[R], convert func(store.Record[R]) M) []M {
	converted := make([]M, len(page))
	for i, record := range page {
		converted[i] = convert(record)
	}
	return converted
}

// ListTasks answers with the versions of tasks.
func (r *Registry) ListTasks(_ context.Context, request *admin.ResourceListRequest) (*admin.TaskList, error) {
	page, token, err := list(r, records.Tasks, "task", taskColumns, request)
	return &admin.TaskList{Tasks: each(page, taskOf), Token: token}, err
}

// ListWorkflows answers with the versions of workflows, without closures.
func (r *Registry) ListWorkflows(_ context.Context, request *admin.ResourceListRequest) (*admin.WorkflowList, error) {
	page, token, err := list(r, records.Workflows, "workflow", workflowColumns, request)
	return &admin.WorkflowList{Workflows: each(page, workflowOf), Token: token}, err
}

// ListLaunchPlans answers with the versions of launch plans.
func (r *Registry) ListLaunchPlans(_ context.Context, request *admin.ResourceListRequest) (*admin.LaunchPlanList, error) {
	page, token, err := list(r, records.LaunchPlans, "launch_plan", launchPlanColumns, request)
	return &admin.LaunchPlanList{LaunchPlans: each(page, launchPlanOf), Token: token}, err
}

// ListActiveLaunchPlans answers with the active version of each launch plan of a domain.
func (r *Registry) ListActiveLaunchPlans(ctx context.Context, request *admin.ActiveLaunchPlanListRequest) (*admin.LaunchPlanList, error) {
	return r.ListLaunchPlans(ctx, &admin.ResourceListRequest{
		Id:    &admin.NamedEntityIdentifier{Project: request.GetProject(), Domain: request.GetDomain()},
		Limit: request.GetLimit(), Token: request.GetToken(), SortBy: request.GetSortBy(), Filters: "eq(state,1)",
	})
}

// GetActiveLaunchPlan answers with the active version of a launch plan.
func (r *Registry) GetActiveLaunchPlan(ctx context.Context, request *admin.ActiveLaunchPlanRequest) (*admin.LaunchPlan, error) {
	if err := fault.Named(request.GetId()); err != nil {
		return nil, err
	}
	active, err := r.ListLaunchPlans(ctx, &admin.ResourceListRequest{Id: request.GetId(), Limit: 1, Filters: "eq(state,1)"})
	if err != nil {
		return nil, err
	}
	if len(active.GetLaunchPlans()) == 0 {
		return nil, fault.NotFound("active launch plan", request.GetId())
	}
	return active.GetLaunchPlans()[0], nil
}
