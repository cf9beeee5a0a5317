// Package auth answers clients that ask how to authenticate: there is nothing to do.
package auth

import (
	"context"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"
)

// Metadata answers AuthMetadataService as a FlyteAdmin without authentication does.
type Metadata struct {
	service.UnimplementedAuthMetadataServiceServer
}

// GetOAuth2Metadata names no authorization server.
func (Metadata) GetOAuth2Metadata(context.Context, *service.OAuth2MetadataRequest) (*service.OAuth2MetadataResponse, error) {
	return &service.OAuth2MetadataResponse{}, nil
}

// GetPublicClientConfig names no client.
func (Metadata) GetPublicClientConfig(context.Context, *service.PublicClientAuthConfigRequest) (*service.PublicClientAuthConfigResponse, error) {
	return &service.PublicClientAuthConfigResponse{}, nil
}
