package registry

import (
	"context"
	"errors"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// firstProject is there from the start, as in Flyte's single binary.
const firstProject = "flytesnacks"

var projectColumns = listing.Base(listing.Columns[records.Project]{
	"identifier":  func(r store.Record[records.Project]) any { return r.Row.Project.Value.GetId() },
	"name":        func(r store.Record[records.Project]) any { return r.Row.Project.Value.GetName() },
	"description": func(r store.Record[records.Project]) any { return r.Row.Project.Value.GetDescription() },
	"state":       func(r store.Record[records.Project]) any { return int64(r.Row.Project.Value.GetState()) },
})

// Seed registers the first project unless it is registered.
func (r *Registry) Seed() error {
	return r.store.Update(func(tx *store.Tx) error {
		err := insertProject(tx, &admin.Project{Id: firstProject, Name: firstProject, Description: firstProject + " description"})
		if errors.Is(err, store.ErrExists) {
			return nil
		}
		return err
	})
}

func insertProject(tx *store.Tx, project *admin.Project) error {
	return records.Projects.Insert(tx, store.KeyOf(project.GetId()), records.Project{Project: store.Of(project)})
}

// RegisterProject adds a project.
func (r *Registry) RegisterProject(_ context.Context, request *admin.ProjectRegisterRequest) (*admin.ProjectRegisterResponse, error) {
	project := request.GetProject()
	if err := fault.Fields(fault.Field{Name: "project_id", Value: project.GetId()}, fault.Field{Name: "project_name", Value: project.GetName()}); err != nil {
		return nil, err
	}
	project.Domains = nil
	err := r.store.Update(func(tx *store.Tx) error { return insertProject(tx, project) })
	if errors.Is(err, store.ErrExists) {
		return nil, fault.Exists("value with matching already exists (project %s)", project.GetId())
	}
	return &admin.ProjectRegisterResponse{}, err
}

// UpdateProject replaces a project.
func (r *Registry) UpdateProject(_ context.Context, project *admin.Project) (*admin.ProjectUpdateResponse, error) {
	if err := fault.Fields(fault.Field{Name: "project_id", Value: project.GetId()}); err != nil {
		return nil, err
	}
	project.Domains = nil
	err := r.store.Update(func(tx *store.Tx) error {
		record, err := records.Projects.Get(tx, store.KeyOf(project.GetId()))
		if errors.Is(err, store.ErrNotFound) {
			return fault.NotFound("project", project)
		}
		if err != nil {
			return err
		}
		record.Row.Project = store.Of(project)
		return records.Projects.Update(tx, store.KeyOf(project.GetId()), record)
	})
	return &admin.ProjectUpdateResponse{}, err
}

// GetProject answers with a project and its domains.
func (r *Registry) GetProject(_ context.Context, request *admin.ProjectGetRequest) (*admin.Project, error) {
	var project *admin.Project
	err := r.store.View(func(tx *store.Tx) error {
		record, err := records.Projects.Get(tx, store.KeyOf(request.GetId()))
		if errors.Is(err, store.ErrNotFound) {
			return fault.NotFound("project", request)
		}
		if err == nil {
			project = projectOf(record)
		}
		return err
	})
	return project, err
}

// ListProjects answers with the projects; without filters, those that are not archived.
func (r *Registry) ListProjects(_ context.Context, request *admin.ProjectListRequest) (*admin.Projects, error) {
	if request.GetFilters() == "" {
		request.Filters = "value_not_in(state,1;2)"
	}
	if request.GetLimit() == 0 {
		request.Limit = ^uint32(0) >> 1
	}
	var projects *admin.Projects
	err := r.store.View(func(tx *store.Tx) error {
		all, err := records.Projects.Scan(tx, "")
		if err != nil {
			return err
		}
		page, token, err := listing.Page(all, "project", projectColumns, request)
		projects = &admin.Projects{Projects: each(page, projectOf), Token: token}
		return err
	})
	return projects, err
}

// GetDomains answers with the domains that every project has.
func (r *Registry) GetDomains(context.Context, *admin.GetDomainRequest) (*admin.GetDomainsResponse, error) {
	return &admin.GetDomainsResponse{Domains: domainList()}, nil
}

func projectOf(record store.Record[records.Project]) *admin.Project {
	project := record.Row.Project.Value
	project.Domains = domainList()
	return project
}

func domainList() []*admin.Domain {
	list := make([]*admin.Domain, len(domains))
	for i, domain := range domains {
		list[i] = &admin.Domain{Id: domain, Name: domain}
	}
	return list
}
