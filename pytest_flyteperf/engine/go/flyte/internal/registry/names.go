package registry

import (
	"context"
	"errors"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// generated hides the workflows that single tasks run in, unless filters are given.
const generated = "not_like(name," + generatedPrefix + "%)"

type named struct {
	id       *admin.NamedEntityIdentifier
	metadata *admin.NamedEntityMetadata
}

var nameColumns = listing.Base(listing.Columns[named]{
	"project":     func(r store.Record[named]) any { return r.Row.id.GetProject() },
	"domain":      func(r store.Record[named]) any { return r.Row.id.GetDomain() },
	"name":        func(r store.Record[named]) any { return r.Row.id.GetName() },
	"description": func(r store.Record[named]) any { return r.Row.metadata.GetDescription() },
	"state":       func(r store.Record[named]) any { return int64(r.Row.metadata.GetState()) },
})

// names are the distinct names of a kind below a prefix of keys, in the order in which they were first registered.
func names(tx *store.Tx, kind core.ResourceType, prefix store.Key) ([]store.Record[named], error) {
	var ids []*core.Identifier
	var err error
	switch kind {
	case core.ResourceType_TASK:
		ids, err = identifiers(records.Tasks, tx, prefix, func(row records.Task) *core.Identifier { return row.ID.Value })
	case core.ResourceType_WORKFLOW:
		ids, err = identifiers(records.Workflows, tx, prefix, func(row records.Workflow) *core.Identifier { return row.ID.Value })
	case core.ResourceType_LAUNCH_PLAN:
		ids, err = identifiers(records.LaunchPlans, tx, prefix, func(row records.LaunchPlan) *core.Identifier { return row.ID.Value })
	default:
		err = fault.Invalid("invalid value for resource_type: %s", kind)
	}
	if err != nil {
		return nil, err
	}
	var found []store.Record[named]
	for i, id := range ids {
		if i > 0 && ids[i-1].GetName() == id.GetName() {
			continue
		}
		name := &admin.NamedEntityIdentifier{Project: id.GetProject(), Domain: id.GetDomain(), Name: id.GetName()}
		metadata := &admin.NamedEntityMetadata{}
		said, err := records.NamedEntities.Get(tx, records.NameKey(kind, name))
		switch {
		case err == nil:
			metadata = said.Row.Metadata.Value
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		found = append(found, store.Record[named]{Seq: uint64(len(found)), Row: named{name, metadata}})
	}
	return found, nil
}

func identifiers[R any](table store.Table[R], tx *store.Tx, prefix store.Key, id func(R) *core.Identifier) ([]*core.Identifier, error) {
	all, err := table.Scan(tx, prefix)
	return each(all, func(record store.Record[R]) *core.Identifier { return id(record.Row) }), err
}

func (r *Registry) pageOfNames(kind core.ResourceType, project, domain string, request listing.Request) ([]store.Record[named], string, error) {
	prefix, err := scope(project, domain, "")
	if err != nil {
		return nil, "", err
	}
	var page []store.Record[named]
	var token string
	err = r.store.View(func(tx *store.Tx) error {
		all, err := names(tx, kind, prefix)
		if err != nil {
			return err
		}
		page, token, err = listing.Page(all, "entities", nameColumns, request)
		return err
	})
	return page, token, err
}

func entityOf(kind core.ResourceType) func(store.Record[named]) *admin.NamedEntity {
	return func(record store.Record[named]) *admin.NamedEntity {
		return &admin.NamedEntity{ResourceType: kind, Id: record.Row.id, Metadata: record.Row.metadata}
	}
}

// ListNamedEntities answers with the names of a kind and what is said about them.
func (r *Registry) ListNamedEntities(_ context.Context, request *admin.NamedEntityListRequest) (*admin.NamedEntityList, error) {
	if request.GetFilters() == "" {
		request.Filters = generated
	}
	page, token, err := r.pageOfNames(request.GetResourceType(), request.GetProject(), request.GetDomain(), request)
	return &admin.NamedEntityList{Entities: each(page, entityOf(request.GetResourceType())), Token: token}, err
}

// GetNamedEntity answers with what is said about a name that is registered.
func (r *Registry) GetNamedEntity(_ context.Context, request *admin.NamedEntityGetRequest) (*admin.NamedEntity, error) {
	if err := fault.Named(request.GetId()); err != nil {
		return nil, err
	}
	var entity *admin.NamedEntity
	err := r.store.View(func(tx *store.Tx) error {
		record, err := name(tx, request.GetResourceType(), request.GetId())
		entity = entityOf(request.GetResourceType())(record)
		return err
	})
	return entity, err
}

// UpdateNamedEntity replaces what is said about a name that is registered.
func (r *Registry) UpdateNamedEntity(_ context.Context, request *admin.NamedEntityUpdateRequest) (*admin.NamedEntityUpdateResponse, error) {
	if err := fault.Named(request.GetId()); err != nil {
		return nil, err
	}
	err := r.store.Update(func(tx *store.Tx) error {
		if _, err := name(tx, request.GetResourceType(), request.GetId()); err != nil {
			return err
		}
		return records.NamedEntities.Upsert(tx, records.NameKey(request.GetResourceType(), request.GetId()),
			records.NamedEntity{Metadata: store.Of(request.GetMetadata())})
	})
	return &admin.NamedEntityUpdateResponse{}, err
}

func name(tx *store.Tx, kind core.ResourceType, id *admin.NamedEntityIdentifier) (store.Record[named], error) {
	all, err := names(tx, kind, store.KeyOf(id.GetProject(), id.GetDomain(), id.GetName()).Below())
	if err != nil {
		return store.Record[named]{}, err
	}
	if len(all) == 0 {
		return store.Record[named]{}, fault.NotFound(kind.String(), id)
	}
	return all[0], nil
}

func (r *Registry) listIDs(kind core.ResourceType, request *admin.NamedEntityIdentifierListRequest) (*admin.NamedEntityIdentifierList, error) {
	page, token, err := r.pageOfNames(kind, request.GetProject(), request.GetDomain(), request)
	ids := each(page, func(record store.Record[named]) *admin.NamedEntityIdentifier { return record.Row.id })
	return &admin.NamedEntityIdentifierList{Entities: ids, Token: token}, err
}

// ListTaskIds answers with the names of tasks.
func (r *Registry) ListTaskIds(_ context.Context, request *admin.NamedEntityIdentifierListRequest) (*admin.NamedEntityIdentifierList, error) {
	return r.listIDs(core.ResourceType_TASK, request)
}

// ListWorkflowIds answers with the names of workflows.
func (r *Registry) ListWorkflowIds(_ context.Context, request *admin.NamedEntityIdentifierListRequest) (*admin.NamedEntityIdentifierList, error) {
	return r.listIDs(core.ResourceType_WORKFLOW, request)
}

// ListLaunchPlanIds answers with the names of launch plans.
func (r *Registry) ListLaunchPlanIds(_ context.Context, request *admin.NamedEntityIdentifierListRequest) (*admin.NamedEntityIdentifierList, error) {
	return r.listIDs(core.ResourceType_LAUNCH_PLAN, request)
}
