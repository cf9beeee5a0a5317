package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/flyteorg/flyte/flytepropeller/pkg/controller"
	"github.com/flyteorg/flyte/flytepropeller/pkg/controller/config"
	"github.com/flyteorg/flyte/flytepropeller/pkg/controller/executors"
	"github.com/flyteorg/flyte/flytestdlib/otelutils"
	"github.com/flyteorg/flyte/flytestdlib/promutils"
)

const (
	allNamespaces = "all"
	// leaving is how long the controller may take to end once asked; its workers wait for no round of theirs.
	leaving = 2 * time.Second
)

// run starts FlytePropeller as flytepropeller/cmd/controller/cmd does, and returns when ctx ends or a part of it fails.
func run(ctx context.Context, host string) error {
	for _, name := range []string{
		otelutils.AdminClientTracer, otelutils.BlobstoreClientTracer, otelutils.DataCatalogClientTracer,
		otelutils.FlytePropellerTracer, otelutils.K8sClientTracer,
	} {
		if err := otelutils.RegisterTracerProviderWithContext(ctx, name, otelutils.GetConfig()); err != nil {
			return fmt.Errorf("tracer %s: %w", name, err)
		}
	}
	cfg := config.GetConfig()
	scope := promutils.NewScope(cfg.MetricsPrefix).NewSubScope("propeller").NewSubScope(cfg.LimitNamespace)
	mgr, err := controller.CreateControllerManager(ctx, cfg, managerOptions(cfg, scope))
	if err != nil {
		return fmt.Errorf("controller manager: %w", err)
	}

	parts, partsCtx := errgroup.WithContext(ctx)
	parts.Go(func() error { return serve(partsCtx, host, cfg.ProfilerPort.Port) })
	parts.Go(func() error { return controller.StartControllerManager(partsCtx, mgr) })
	parts.Go(func() error { return controller.StartController(partsCtx, cfg, allNamespaces, mgr, &scope) })
	ended := make(chan error, 1)
	go func() { ended <- parts.Wait() }()

	select {
	case err = <-ended:
	case <-partsCtx.Done():
		// The first part to fail, or a signal, ends all; some of FlytePropeller's never return.
		select {
		case err = <-ended:
		case <-time.After(leaving):
			err = context.Cause(partsCtx)
		}
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func managerOptions(cfg *config.Config, scope promutils.Scope) manager.Options {
	var namespaces map[string]cache.Config
	if cfg.LimitNamespace != allNamespaces {
		namespaces = map[string]cache.Config{cfg.LimitNamespace: {}}
	}
	return manager.Options{
		Cache:     cache.Options{SyncPeriod: &cfg.DownstreamEval.Duration, DefaultNamespaces: namespaces},
		NewCache:  executors.NewCache,
		NewClient: executors.BuildNewClientFunc(scope),
		// Metrics of controller-runtime are served beside FlytePropeller's.
		Metrics: metricsserver.Options{BindAddress: "0"},
	}
}
