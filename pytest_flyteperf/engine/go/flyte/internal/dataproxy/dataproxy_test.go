package dataproxy_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/dataproxy"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/nodes"
)

func newService(t *testing.T) *dataproxy.Service {
	t.Helper()
	blobs := fixture.Blobs(t)
	return dataproxy.New(blobs, nodes.New(fixture.Store(t), blobs), func() time.Time { return fixture.Noon })
}

func TestUploadsAreRefused(t *testing.T) {
	for sentence, request := range map[string]*service.CreateUploadLocationRequest{
		"without a project":          {Domain: "d", ContentMd5: []byte("x")},
		"without a domain":           {Project: "p", ContentMd5: []byte("x")},
		"without a digest or a root": {Project: "p", Domain: "d", Filename: "f"},
		"that shall be signed for long": {
			Project: "p", Domain: "d", ContentMd5: []byte("x"), ExpiresIn: durationpb.New(2 * time.Hour),
		},
		"that shall have been signed": {
			Project: "p", Domain: "d", ContentMd5: []byte("x"), ExpiresIn: durationpb.New(-time.Second),
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := newService(t).CreateUploadLocation(t.Context(), request); status.Code(err) != codes.InvalidArgument {
				t.Errorf("want InvalidArgument, got %v", err)
			}
		})
	}
}

func TestAddressesOfData(t *testing.T) {
	for address, want := range map[string]codes.Code{
		"flyte://v1/p/d/run/n0/i":         codes.NotFound,
		"flyte://v1/p/d/run/n0/o/o0":      codes.NotFound,
		"flyte://v1/p/d/run/n0/0/o":       codes.InvalidArgument,
		"flyte://v1/p/d/run/n0/x":         codes.InvalidArgument,
		"flyte://v1/p/d/run/n0/1/d/extra": codes.InvalidArgument,
		"s3://bucket/key":                 codes.InvalidArgument,
	} {
		if _, err := newService(t).GetData(t.Context(), &service.GetDataRequest{FlyteUrl: address}); status.Code(err) != want {
			t.Errorf("%s: want %v, got %v", address, want, err)
		}
	}
}
