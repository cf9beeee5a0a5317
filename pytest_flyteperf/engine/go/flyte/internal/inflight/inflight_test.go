package inflight_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/inflight"
)

func TestOnlyTheExecutionInFlightIsWaitedFor(t *testing.T) {
	launches := &inflight.Launches{}
	end := launches.Begin("one")
	if err := launches.Wait(t.Context(), "two"); err != nil {
		t.Errorf("another execution is not held up: got %v", err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := launches.Wait(impatient, "one"); status.Code(err) != codes.Canceled {
		t.Errorf("want the caller's own end while the launch goes on, got %v", err)
	}
	waited := make(chan error)
	go func() { waited <- launches.Wait(t.Context(), "one") }()
	end()
	if err := <-waited; err != nil {
		t.Errorf("want the launch's end, got %v", err)
	}
	if err := launches.Wait(impatient, "one"); err != nil {
		t.Errorf("want nothing to wait for, got %v", err)
	}
}

func TestSecondLaunchOfANameDoesNotEndTheFirst(t *testing.T) {
	launches := &inflight.Launches{}
	end := launches.Begin("one")
	launches.Begin("one")()
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := launches.Wait(impatient, "one"); err == nil {
		t.Error("want the first launch still in flight")
	}
	end()
}
