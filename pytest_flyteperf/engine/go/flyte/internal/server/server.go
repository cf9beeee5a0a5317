// Package server puts all services behind one gRPC port, and metrics behind another.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	grpcprometheus "github.com/grpc-ecosystem/go-grpc-prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"
	"github.com/flyteorg/flyte/flytestdlib/otelutils"
)

// grace is how long running calls may take to finish after a stop.
const grace = 2 * time.Second

// Services are what is served.
type Services struct {
	Admin     service.AdminServiceServer
	Signals   service.SignalServiceServer
	DataProxy service.DataProxyServiceServer
	Auth      service.AuthMetadataServiceServer
	Catalog   datacatalog.DataCatalogServer
}

// Listen opens both ports, so that a taken one is known before anything else starts.
func Listen(ctx context.Context, address, metricsAddress string) (calls, metrics net.Listener, err error) {
	var listen net.ListenConfig
	if calls, err = listen.Listen(ctx, "tcp", address); err != nil {
		return nil, nil, fmt.Errorf("standin.listen %s: %w", address, err)
	}
	if metrics, err = listen.Listen(ctx, "tcp", metricsAddress); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("standin.metricsListen %s: %w", metricsAddress, err), calls.Close())
	}
	return calls, metrics, nil
}

// Serve answers calls until ctx ends, then lets running calls finish within a short grace.
func Serve(ctx context.Context, calls, metrics net.Listener, services Services, eventDelay time.Duration) error {
	grpcprometheus.EnableHandlingTimeHistogram(grpcprometheus.WithHistogramBuckets(latencyBuckets))
	server := grpc.NewServer(
		grpc.StatsHandler(otelgrpc.NewServerHandler(
			otelgrpc.WithTracerProvider(otelutils.GetTracerProvider(otelutils.AdminServerTracer)),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
		)),
		grpc.ChainUnaryInterceptor(grpcprometheus.UnaryServerInterceptor, neverUnknown, delayEvents(eventDelay)),
	)
	service.RegisterAdminServiceServer(server, services.Admin)
	service.RegisterSignalServiceServer(server, services.Signals)
	service.RegisterDataProxyServiceServer(server, services.DataProxy)
	service.RegisterAuthMetadataServiceServer(server, services.Auth)
	datacatalog.RegisterDataCatalogServer(server, services.Catalog)
	healthy := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, healthy)
	reflection.Register(server)
	grpcprometheus.Register(server)

	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.Handler())
	scrapes := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(calls); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		if err := scrapes.Serve(metrics); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		healthy.Shutdown()
		force := time.AfterFunc(grace, server.Stop)
		server.GracefulStop()
		force.Stop()
		return scrapes.Close()
	})
	return group.Wait()
}
