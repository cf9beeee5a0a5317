package dataproxy

import (
	"context"
	"regexp"
	"strconv"

	"github.com/flyteorg/stow"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"
	"github.com/flyteorg/flyte/flytestdlib/storage"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

// CreateDownloadLocation signs the address of one file. FlyteAdmin deprecated it, but flytekit calls it.
func (s *Service) CreateDownloadLocation(ctx context.Context, request *service.CreateDownloadLocationRequest) (*service.CreateDownloadLocationResponse, error) {
	address, until, err := s.signed(ctx, request.GetNativeUrl(), request.GetExpiresIn())
	return &service.CreateDownloadLocationResponse{SignedUrl: address, ExpiresAt: until}, err
}

// CreateDownloadLink signs the address of a node's deck.
func (s *Service) CreateDownloadLink(ctx context.Context, request *service.CreateDownloadLinkRequest) (*service.CreateDownloadLinkResponse, error) {
	if request.GetArtifactType() != service.ArtifactType_ARTIFACT_TYPE_DECK {
		return nil, fault.Invalid("invalid artifact type [%v]", request.GetArtifactType())
	}
	if request.GetNodeExecutionId() == nil {
		return nil, fault.Invalid("unsupported source [%T]", request.GetSource())
	}
	node, err := s.nodes.GetNodeExecution(ctx, &admin.NodeExecutionGetRequest{Id: request.GetNodeExecutionId()})
	if err != nil {
		return nil, fault.Invalid("failed to find node execution [%v]. Error: %v", request.GetNodeExecutionId(), err)
	}
	uri := node.GetClosure().GetDeckUri()
	if uri == "" {
		return nil, status.Errorf(codes.NotFound, "no deckUrl found for request [%v]", request)
	}
	present, err := s.blobs.Data().Head(ctx, storage.DataReference(uri))
	if err != nil {
		return nil, fault.Internal("failed to head object before signing url", err)
	}
	if !present.Exists() {
		return nil, status.Errorf(codes.NotFound, "object not found")
	}
	address, until, err := s.signed(ctx, uri, request.GetExpiresIn())
	if err != nil {
		return nil, err
	}
	return &service.CreateDownloadLinkResponse{
		PreSignedUrls: &service.PreSignedURLs{SignedUrl: []string{address}, ExpiresAt: until},
	}, nil
}

func (s *Service) signed(ctx context.Context, uri string, expiresIn *durationpb.Duration) (string, *timestamppb.Timestamp, error) {
	validity, err := validity(expiresIn)
	if err != nil {
		return "", nil, err
	}
	signed, err := s.blobs.Data().CreateSignedURL(ctx, storage.DataReference(uri), storage.SignedURLProperties{
		Scope: stow.ClientMethodGet, ExpiresIn: validity,
	})
	if err != nil {
		return "", nil, fault.Internal("failed to create a signed url", err)
	}
	return signed.URL.String(), timestamppb.New(s.now().Add(validity)), nil
}

// flyteURL is flyte://v1/project/domain/execution/node[/attempt]/(i|o|d)[/name].
var flyteURL = regexp.MustCompile(`^flyte://v1/([\w-]+)/([\w-]+)/([\w-]+)/([\w-]+)(?:/([0-9]+))?/([iod])(?:/([\w-]+))?$`)

// GetData answers with the literals that a flyte:// address names, or with the signed address of a deck.
func (s *Service) GetData(ctx context.Context, request *service.GetDataRequest) (*service.GetDataResponse, error) {
	part := flyteURL.FindStringSubmatch(request.GetFlyteUrl())
	if part == nil {
		return nil, fault.Invalid("failed to parse [%s]", request.GetFlyteUrl())
	}
	node := &core.NodeExecutionIdentifier{
		NodeId:      part[4],
		ExecutionId: &core.WorkflowExecutionIdentifier{Project: part[1], Domain: part[2], Name: part[3]},
	}
	if part[6] == "d" {
		link, err := s.CreateDownloadLink(ctx, &service.CreateDownloadLinkRequest{
			ArtifactType: service.ArtifactType_ARTIFACT_TYPE_DECK,
			Source:       &service.CreateDownloadLinkRequest_NodeExecutionId{NodeExecutionId: node},
		})
		return &service.GetDataResponse{Data: &service.GetDataResponse_PreSignedUrls{PreSignedUrls: link.GetPreSignedUrls()}}, err
	}
	literals, err := s.literals(ctx, node, part[5], part[6] == "i")
	if err != nil {
		return nil, err
	}
	if part[7] == "" {
		return &service.GetDataResponse{Data: &service.GetDataResponse_LiteralMap{LiteralMap: literals}}, nil
	}
	literal, known := literals.GetLiterals()[part[7]]
	if !known {
		return nil, fault.Invalid("name [%v] not found in [%v]", part[7], request.GetFlyteUrl())
	}
	return &service.GetDataResponse{Data: &service.GetDataResponse_Literal{Literal: literal}}, nil
}

func (s *Service) literals(ctx context.Context, node *core.NodeExecutionIdentifier, attempt string, inputs bool) (*core.LiteralMap, error) {
	var data interface {
		GetFullInputs() *core.LiteralMap
		GetFullOutputs() *core.LiteralMap
	}
	if attempt == "" {
		answer, err := s.nodes.GetNodeExecutionData(ctx, &admin.NodeExecutionGetDataRequest{Id: node})
		if err != nil {
			return nil, err
		}
		data = answer
	} else {
		id, err := s.attempt(ctx, node, attempt)
		if err != nil {
			return nil, err
		}
		answer, err := s.nodes.GetTaskExecutionData(ctx, &admin.TaskExecutionGetDataRequest{Id: id})
		if err != nil {
			return nil, err
		}
		data = answer
	}
	if inputs {
		return data.GetFullInputs(), nil
	}
	return data.GetFullOutputs(), nil
}

func (s *Service) attempt(ctx context.Context, node *core.NodeExecutionIdentifier, attempt string) (*core.TaskExecutionIdentifier, error) {
	number, err := strconv.ParseUint(attempt, 10, 32)
	if err != nil {
		return nil, fault.Invalid("failed to parse attempt [%s]", attempt)
	}
	list, err := s.nodes.ListTaskExecutions(ctx, &admin.TaskExecutionListRequest{
		NodeExecutionId: node, Limit: 1, Filters: "eq(retry_attempt," + strconv.FormatUint(number, 10) + ")",
	})
	if err != nil {
		return nil, err
	}
	if len(list.GetTaskExecutions()) == 0 {
		return nil, fault.Invalid("no task executions were listed [%v]", node)
	}
	return list.GetTaskExecutions()[0].GetId(), nil
}
