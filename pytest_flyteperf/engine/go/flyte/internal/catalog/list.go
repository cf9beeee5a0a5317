package catalog

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// defaultPage is how many artifacts DataCatalog lists when it is not told.
const defaultPage = 50

var columns = listing.Base(listing.Columns[artifactRow]{})

// pagination is DataCatalog's way to ask for a page, as FlyteAdmin's.
type pagination struct{ *datacatalog.PaginationOptions }

func (p pagination) GetLimit() uint32 {
	if p.PaginationOptions.GetLimit() == 0 {
		return defaultPage
	}
	return p.PaginationOptions.GetLimit()
}

func (p pagination) GetFilters() string { return "" }

func (p pagination) GetSortBy() *admin.Sort {
	direction := admin.Sort_DESCENDING
	if p.GetSortOrder() == datacatalog.PaginationOptions_ASCENDING {
		direction = admin.Sort_ASCENDING
	}
	return &admin.Sort{Key: "created_at", Direction: direction}
}

// ListArtifacts answers with a dataset's artifacts, newest first unless asked otherwise. Filters are refused: nobody sends them.
func (s *Service) ListArtifacts(ctx context.Context, request *datacatalog.ListArtifactsRequest) (*datacatalog.ListArtifactsResponse, error) {
	if err := checkDataset(request.GetDataset()); err != nil {
		return nil, err
	}
	if len(request.GetFilter().GetFilters()) > 0 {
		return nil, status.Error(codes.Unimplemented, "the stand-in for DataCatalog lists artifacts without filters only")
	}
	var page []store.Record[artifactRow]
	response := &datacatalog.ListArtifactsResponse{}
	err := s.store.View(func(tx *store.Tx) error {
		if _, err := dataset(tx, request.GetDataset()); err != nil {
			return err
		}
		all, err := artifacts.Scan(tx, datasetKey(request.GetDataset()).Below())
		if err != nil {
			return err
		}
		page, response.NextToken, err = listing.Page(all, "artifact", columns, pagination{request.GetPagination()})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, record := range page {
		artifact, err := s.read(ctx, record)
		if err != nil {
			return nil, err
		}
		response.Artifacts = append(response.Artifacts, artifact)
	}
	return response, nil
}
