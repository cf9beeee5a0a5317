// Package dataproxy hands out signed addresses of the object store, so that clients need no key of their own.
package dataproxy

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/flyteorg/stow"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"
	"github.com/flyteorg/flyte/flytestdlib/storage"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/nodes"
)

// FlyteAdmin's defaults of the section dataProxy.
const (
	longestValidity    = time.Hour
	randomFilenameSize = 20
)

// Service answers DataProxyService.
type Service struct {
	service.UnimplementedDataProxyServiceServer

	blobs *blob.Store
	nodes *nodes.Service
	now   func() time.Time
}

// New makes the service.
func New(blobs *blob.Store, executions *nodes.Service, now func() time.Time) *Service {
	return &Service{blobs: blobs, nodes: executions, now: now}
}

// CreateUploadLocation signs an address that one file can be PUT to.
func (s *Service) CreateUploadLocation(ctx context.Context, request *service.CreateUploadLocationRequest) (*service.CreateUploadLocationResponse, error) {
	if request.GetProject() == "" || request.GetDomain() == "" {
		return nil, fault.Invalid("project and domain are required parameters")
	}
	folder := request.GetFilenameRoot()
	if folder == "" {
		if len(request.GetContentMd5()) == 0 {
			return nil, fault.Invalid("content_md5 or filename_root is a required parameter")
		}
		folder = base32.StdEncoding.EncodeToString(request.GetContentMd5())
	}
	validity, err := validity(request.GetExpiresIn())
	if err != nil {
		return nil, err
	}
	filename := request.GetFilename()
	if filename == "" {
		filename = rand.String(randomFilenameSize)
	}
	keys := []string{request.GetOrg(), request.GetProject(), request.GetDomain(), folder, filename}
	if keys[0] == "" {
		keys = keys[1:]
	}
	uri, err := s.blobs.Reference(ctx, keys...)
	if err != nil {
		return nil, fault.Internal("failed to create storage location", err)
	}
	if request.GetFilename() != "" && request.GetFilenameRoot() != "" {
		if err := s.mayWrite(ctx, uri, request.GetContentMd5()); err != nil {
			return nil, err
		}
	}
	signed, err := s.blobs.Data().CreateSignedURL(ctx, storage.DataReference(uri), storage.SignedURLProperties{
		Scope:                 stow.ClientMethodPut,
		ExpiresIn:             validity,
		ContentMD5:            base64.StdEncoding.EncodeToString(request.GetContentMd5()),
		AddContentMD5Metadata: request.GetAddContentMd5Metadata(),
	})
	if err != nil {
		return nil, fault.Internal("failed to create a signed url", err)
	}
	return &service.CreateUploadLocationResponse{
		SignedUrl: signed.URL.String(),
		NativeUrl: uri,
		ExpiresAt: timestamppb.New(s.now().Add(validity)),
		Headers:   signed.RequiredRequestHeaders,
	}, nil
}

// mayWrite refuses to replace a file at a place of the user's choice, unless the content is the same.
func (s *Service) mayWrite(ctx context.Context, uri string, md5 []byte) error {
	present, err := s.blobs.Data().Head(ctx, storage.DataReference(uri))
	if err != nil {
		return fault.Internal("failed to check if file exists at location ["+uri+"]", err)
	}
	if !present.Exists() {
		return nil
	}
	digest := base64.StdEncoding.EncodeToString(md5)
	same := digest == present.ContentMD5()
	if present.ContentMD5() == "" {
		same = present.Etag() == hex.EncodeToString(md5) || present.Etag() == base32.StdEncoding.EncodeToString(md5) || present.Etag() == digest
	}
	if len(md5) == 0 || !same {
		return fault.Exists("file already exists at location [%v], specify a matching hash if you wish to rewrite", uri)
	}
	return nil
}

func validity(asked *durationpb.Duration) (time.Duration, error) {
	if asked == nil {
		return longestValidity, nil
	}
	if err := asked.CheckValid(); err != nil {
		return 0, fault.Invalid("expiresIn [%v] is invalid", asked)
	}
	if asked.AsDuration() < 0 || asked.AsDuration() > longestValidity {
		return 0, fault.Invalid("expiresIn [%v] cannot exceed max allowed expiration [%v]", asked.AsDuration(), longestValidity)
	}
	return asked.AsDuration(), nil
}
