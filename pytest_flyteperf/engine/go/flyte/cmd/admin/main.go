package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/flyteorg/flyte/flytestdlib/contextutils"
	"github.com/flyteorg/flyte/flytestdlib/otelutils"
	"github.com/flyteorg/flyte/flytestdlib/promutils"
	"github.com/flyteorg/flyte/flytestdlib/promutils/labeled"
	"github.com/flyteorg/flyte/flytestdlib/storage"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/auth"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/catalog"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/crd"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/dataproxy"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/events"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/executions"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/nodes"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/registry"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/server"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/signals"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// version is what GetVersion answers: the FlyteAdmin whose rules are kept.
const version = "v1.16.8"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	path := flag.String("config", "", "Flyte configuration file with a section `standin`")
	flag.Parse()
	if err := run(ctx, *path); err != nil {
		fmt.Fprintln(os.Stderr, "flyteperf-admin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string) (err error) {
	if path == "" {
		return errors.New("give the configuration file with --config FILE")
	}
	with, err := settings.Load(ctx, path)
	if err != nil {
		return err
	}
	// The labels of Flyte's single binary, so that the metrics of both look alike.
	labeled.SetMetricKeys(contextutils.AppNameKey, contextutils.ProjectKey, contextutils.DomainKey, contextutils.WorkflowIDKey,
		contextutils.NodeIDKey, contextutils.TaskIDKey, contextutils.TaskTypeKey, "runtime_type", "runtime_version", storage.FailureTypeLabel)
	calls, metrics, err := server.Listen(ctx, with.Standin.Listen, with.Standin.MetricsListen)
	if err != nil {
		return err
	}
	db, err := store.Open(with.Standin.Database, time.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	services, err := assemble(ctx, with, db)
	if err != nil {
		return err
	}
	return server.Serve(ctx, calls, metrics, services, with.Standin.EventDelay.Duration)
}

func assemble(ctx context.Context, with settings.Settings, db *store.Store) (server.Services, error) {
	if err := otelutils.RegisterTracerProviderWithContext(ctx, otelutils.AdminServerTracer, otelutils.GetConfig()); err != nil {
		return server.Services{}, fmt.Errorf("otel: %w", err)
	}
	data, err := storage.NewDataStore(storage.GetConfig(), promutils.NewScope("flyte").NewSubScope("storage"))
	if err != nil {
		return server.Services{}, fmt.Errorf("storage: %w", err)
	}
	cluster, err := crd.Connect(with.Standin.Kubeconfig)
	if err != nil {
		return server.Services{}, err
	}
	blobs := blob.New(data, with.Admin.MetadataStoragePrefix)
	entities := registry.New(db, blobs)
	launches := &inflight.Launches{}
	if err := entities.Seed(); err != nil {
		return server.Services{}, fmt.Errorf("database %s: %w", with.Standin.Database, err)
	}
	below := nodes.New(db, blobs)
	return server.Services{
		Admin: server.Admin{
			Registry:   entities,
			Executions: executions.New(db, blobs, entities, cluster, launches, with, time.Now),
			Events:     events.New(db, blobs, launches),
			Nodes:      below,
			Version:    version,
		},
		Signals:   signals.New(db),
		DataProxy: dataproxy.New(blobs, below, time.Now),
		Auth:      auth.Metadata{},
		Catalog:   catalog.New(db, blobs, time.Now),
	}, nil
}
