// Package registry keeps tasks, workflows and launch plans: what is registered, compiled as FlyteAdmin compiles it.
package registry

import (
	"context"
	"errors"
	"slices"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// domains are those that FlyteAdmin has without configuration.
var domains = []string{"development", "staging", "production"}

// Registry answers the registration calls of AdminService.
type Registry struct {
	store *store.Store
	blobs *blob.Store
}

// New makes a registry over an open store.
func New(db *store.Store, blobs *blob.Store) *Registry {
	return &Registry{store: db, blobs: blobs}
}

// place refuses a project that is not registered or a domain that does not exist.
func (r *Registry) place(tx *store.Tx, project, domain string) error {
	record, err := records.Projects.Get(tx, store.KeyOf(project))
	if errors.Is(err, store.ErrNotFound) {
		return fault.Invalid("failed to validate that project [%s] and domain [%s] are registered, err: [project [%s] not found]",
			project, domain, project)
	}
	if err != nil {
		return fault.Internal("project "+project, err)
	}
	if record.Row.Project.Value.GetState() != admin.Project_ACTIVE {
		return fault.Invalid("project [%s] is not active", project)
	}
	if !slices.Contains(domains, domain) {
		return fault.Invalid("domain [%s] is unrecognized by system", domain)
	}
	return nil
}

// Place refuses a project that is not registered or a domain that does not exist.
func (r *Registry) Place(_ context.Context, project, domain string) error {
	return r.store.View(func(tx *store.Tx) error { return r.place(tx, project, domain) })
}

func found[R any](table store.Table[R], tx *store.Tx, id *core.Identifier) (store.Record[R], error) {
	record, err := table.Get(tx, records.IdentifierKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return record, fault.NotFound(id.GetResourceType().String(), id)
	}
	return record, err
}
