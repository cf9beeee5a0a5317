package catalog

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// CreateArtifact writes each output to the blob store and then stores the artifact.
func (s *Service) CreateArtifact(ctx context.Context, request *datacatalog.CreateArtifactRequest) (*datacatalog.CreateArtifactResponse, error) {
	made := request.GetArtifact()
	if err := checkDataset(made.GetDataset()); err != nil {
		return nil, err
	}
	if err := fault.Fields(fault.Field{Name: "artifact id", Value: made.GetId()}); err != nil {
		return nil, err
	}
	if len(made.GetData()) == 0 {
		return nil, fault.Missing("artifact data")
	}
	var of *datacatalog.Dataset
	err := s.store.View(func(tx *store.Tx) (err error) {
		of, err = dataset(tx, made.GetDataset())
		return err
	})
	if err != nil {
		return nil, err
	}
	values, err := s.write(ctx, made, made.GetData())
	if err != nil {
		return nil, err
	}
	row := artifactRow{Artifact: store.Of(&datacatalog.Artifact{
		Id: made.GetId(), Dataset: of.GetId(), Metadata: made.GetMetadata(), Partitions: made.GetPartitions(),
	}), Values: values}
	err = s.store.Update(func(tx *store.Tx) error {
		return artifacts.Insert(tx, datasetKey(made.GetDataset()).Below()+store.Key(made.GetId()), row)
	})
	if errors.Is(err, store.ErrExists) {
		return nil, fault.Exists("value with matching already exists (artifact %s)", made.GetId())
	}
	return &datacatalog.CreateArtifactResponse{}, err
}

// GetArtifact answers with the artifact of an id or tag and reads its outputs, one blob each.
func (s *Service) GetArtifact(ctx context.Context, request *datacatalog.GetArtifactRequest) (*datacatalog.GetArtifactResponse, error) {
	record, err := s.find(request)
	if err != nil {
		return nil, err
	}
	artifact, err := s.read(ctx, record)
	return &datacatalog.GetArtifactResponse{Artifact: artifact}, err
}

// UpdateArtifact replaces the outputs of an artifact; blobs of outputs that it no longer has are deleted.
func (s *Service) UpdateArtifact(ctx context.Context, request *datacatalog.UpdateArtifactRequest) (*datacatalog.UpdateArtifactResponse, error) {
	if len(request.GetData()) == 0 {
		return nil, fault.Missing("artifact data")
	}
	record, err := s.find(request)
	if err != nil {
		return nil, err
	}
	artifact, before := record.Row.Artifact.Value, record.Row.Values
	if record.Row.Values, err = s.write(ctx, artifact, request.GetData()); err != nil {
		return nil, err
	}
	artifact.Metadata = request.GetMetadata()
	err = s.store.Update(func(tx *store.Tx) error {
		return artifacts.Update(tx, datasetKey(artifact.GetDataset()).Below()+store.Key(artifact.GetId()), record)
	})
	if err != nil {
		return nil, err
	}
	for _, old := range before {
		if slices.Contains(record.Row.Values, old) {
			continue
		}
		if err := s.blobs.Delete(ctx, old.URI); err != nil {
			return nil, fault.Internal("artifact data", err)
		}
	}
	return &datacatalog.UpdateArtifactResponse{ArtifactId: artifact.GetId()}, nil
}

type query interface {
	GetDataset() *datacatalog.DatasetID
	GetArtifactId() string
	GetTagName() string
}

func (s *Service) find(request query) (store.Record[artifactRow], error) {
	var record store.Record[artifactRow]
	if err := checkDataset(request.GetDataset()); err != nil {
		return record, err
	}
	if request.GetArtifactId() == "" && request.GetTagName() == "" {
		return record, fault.Missing("one of [artifactID, tagName]")
	}
	err := s.store.View(func(tx *store.Tx) error {
		key := datasetKey(request.GetDataset()).Below()
		id := request.GetArtifactId()
		if id == "" {
			tag, err := tags.Get(tx, key+store.Key(request.GetTagName()))
			if err != nil {
				return err
			}
			id = tag.Row.ArtifactID
		}
		var err error
		record, err = artifacts.Get(tx, key+store.Key(id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return record, status.Errorf(codes.NotFound, "missing entity of type Artifact with identifier %s%s of dataset %v",
			request.GetArtifactId(), request.GetTagName(), request.GetDataset())
	}
	return record, err
}

func (s *Service) write(ctx context.Context, artifact *datacatalog.Artifact, data []*datacatalog.ArtifactData) ([]valueRow, error) {
	values := make([]valueRow, len(data))
	of := artifact.GetDataset()
	for i, output := range data {
		uri, err := s.blobs.WriteArtifact(ctx, output.GetValue(),
			of.GetProject(), of.GetDomain(), of.GetName(), of.GetVersion(), artifact.GetId(), output.GetName())
		if err != nil {
			return nil, fault.Internal("artifact data", err)
		}
		values[i] = valueRow{Name: output.GetName(), URI: uri}
	}
	return values, nil
}

func (s *Service) read(ctx context.Context, record store.Record[artifactRow]) (*datacatalog.Artifact, error) {
	artifact := proto.Clone(record.Row.Artifact.Value).(*datacatalog.Artifact)
	artifact.CreatedAt = timestamppb.New(record.CreatedAt)
	for _, value := range record.Row.Values {
		literal := &core.Literal{}
		if err := s.blobs.Read(ctx, value.URI, literal); err != nil {
			return nil, fault.Internal("artifact data", err)
		}
		artifact.Data = append(artifact.Data, &datacatalog.ArtifactData{Name: value.Name, Value: literal})
	}
	return artifact, nil
}
