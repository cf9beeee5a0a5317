// Package inflight knows which executions are being launched: their object may be in the cluster, their row is not on disk yet.
//
// FlyteAdmin leaves this gap open: an event that falls into it is NOT_FOUND, and costs FlytePropeller a failed attempt and a
// round. How often that happens depends on the machine's load alone, so here the event waits for the row instead.
package inflight

import (
	"context"
	"sync"

	"google.golang.org/grpc/status"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Launches are the executions that are being launched. The zero value has none.
type Launches struct {
	lock sync.Mutex
	open map[store.Key]chan struct{}
}

// Begin notes a launch until the returned function is called. Of launches under one name the first counts.
func (l *Launches) Begin(key store.Key) (end func()) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if _, begun := l.open[key]; begun {
		return func() {}
	}
	if l.open == nil {
		l.open = map[store.Key]chan struct{}{}
	}
	ended := make(chan struct{})
	l.open[key] = ended
	return func() {
		l.lock.Lock()
		defer l.lock.Unlock()
		delete(l.open, key)
		close(ended)
	}
}

// Wait returns when the execution is not being launched, or when the caller has no more time.
func (l *Launches) Wait(ctx context.Context, key store.Key) error {
	l.lock.Lock()
	ended, begun := l.open[key]
	l.lock.Unlock()
	if !begun {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
