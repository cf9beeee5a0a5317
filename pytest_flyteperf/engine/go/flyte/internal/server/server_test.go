package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/auth"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/server"
)

// broken fails in the ways that a server may fail.
type broken struct {
	service.UnimplementedAdminServiceServer
}

func (broken) GetTask(context.Context, *admin.ObjectGetRequest) (*admin.Task, error) {
	return nil, errors.New("disk full")
}

func (broken) GetWorkflow(context.Context, *admin.ObjectGetRequest) (*admin.Workflow, error) {
	panic("at the disco")
}

func (broken) CreateNodeEvent(context.Context, *admin.NodeExecutionEventRequest) (*admin.NodeExecutionEventResponse, error) {
	return &admin.NodeExecutionEventResponse{}, nil
}

func serve(t *testing.T, delay time.Duration) (client *grpc.ClientConn, metrics string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	calls, scrapes, err := server.Listen(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(ctx, calls, scrapes, server.Services{
			Admin:     broken{},
			Signals:   service.UnimplementedSignalServiceServer{},
			DataProxy: service.UnimplementedDataProxyServiceServer{},
			Auth:      auth.Metadata{},
			Catalog:   datacatalog.UnimplementedDataCatalogServer{},
		}, delay)
	}()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	client, err = grpc.NewClient(calls.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, scrapes.Addr().String(), stop
}

func TestNoAnswerIsUnknown(t *testing.T) {
	client, _, _ := serve(t, 0)
	calls := service.NewAdminServiceClient(client)
	_, failure := calls.GetTask(t.Context(), &admin.ObjectGetRequest{})
	_, panicked := calls.GetWorkflow(t.Context(), &admin.ObjectGetRequest{})
	_, absent := calls.GetExecutionMetrics(t.Context(), &admin.WorkflowExecutionGetMetricsRequest{})
	for what, test := range map[string]struct {
		err  error
		code codes.Code
		text string
	}{
		"an error of the machine": {failure, codes.Internal, "disk full"},
		"a panic":                 {panicked, codes.Internal, "at the disco"},
		"a call nobody answers":   {absent, codes.Unimplemented, ""},
	} {
		if status.Code(test.err) != test.code || !strings.Contains(status.Convert(test.err).Message(), test.text) {
			t.Errorf("%s: want %v with %q, got %v", what, test.code, test.text, test.err)
		}
	}
}

func TestServerIsHealthyMeasuredAndStops(t *testing.T) {
	client, metrics, stop := serve(t, 0)
	health, err := grpc_health_v1.NewHealthClient(client).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("got %v, %v", health, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metrics+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("metrics: got %v, %v", response, err)
	}
	_ = response.Body.Close()
	if err := stop(); err != nil {
		t.Errorf("a requested stop is no failure, got %v", err)
	}
}

func TestOnlyEventsAreDelayed(t *testing.T) {
	client, _, _ := serve(t, time.Hour)
	calls := service.NewAdminServiceClient(client)
	if _, err := calls.GetTask(t.Context(), &admin.ObjectGetRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("want an immediate answer, got %v", err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := calls.CreateNodeEvent(brief, &admin.NodeExecutionEventRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("want the event held back beyond the client's patience, got %v", err)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for sentence, addresses := range map[string][2]string{
		"standin.listen":        {taken.Addr().String(), "127.0.0.1:0"},
		"standin.metricsListen": {"127.0.0.1:0", taken.Addr().String()},
	} {
		_, _, err := server.Listen(t.Context(), addresses[0], addresses[1])
		if err == nil || !strings.Contains(err.Error(), sentence+" "+taken.Addr().String()) {
			t.Errorf("want an error that names %s and the address, got %v", sentence, err)
		}
	}
}
