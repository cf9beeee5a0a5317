package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flytestdlib/logger"
)

// latencyBuckets are upper bounds in seconds, close enough to read a median of a fraction of a millisecond.
var latencyBuckets = []float64{
	.0001, .0002, .0003, .0004, .0005, .0006, .0007, .0008, .0009, .001, .0012, .0015, .002, .0025, .003, .004, .005, .0075,
	.01, .015, .02, .03, .05, .1, .25, .5, 1, 2.5, 5, 10,
}

// neverUnknown keeps the code UNKNOWN from clients: FlytePropeller retries it for long, and flytekit takes it for a
// lack of credentials. A panic is an error of one call only.
func neverUnknown(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			logger.Errorf(ctx, "%s: panic: %v\n%s", info.FullMethod, cause, debug.Stack())
			answer, err = nil, status.Error(codes.Internal, fmt.Sprintf("panic: %v", cause))
		}
	}()
	answer, err = handle(ctx, request)
	if err == nil {
		return answer, nil
	}
	refusal := status.Convert(err)
	if refusal.Code() == codes.Unknown {
		refusal = status.New(codes.Internal, err.Error())
		logger.Errorf(ctx, "%s: %v", info.FullMethod, err)
	} else {
		logger.Debugf(ctx, "%s: %v", info.FullMethod, err)
	}
	return nil, refusal.Err()
}

// delayEvents makes each event call take at least that much longer, to have the latency of another admin.
func delayEvents(delay time.Duration) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if delay > 0 && strings.HasSuffix(info.FullMethod, "Event") {
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}
		return handle(ctx, request)
	}
}
