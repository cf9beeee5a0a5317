// Package catalog stands in for DataCatalog: it remembers which outputs a task gave for which inputs.
package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/blob"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Service answers DataCatalog's calls.
type Service struct {
	datacatalog.UnimplementedDataCatalogServer

	store *store.Store
	blobs *blob.Store
	now   func() time.Time
}

// New makes the service. Reservations end by the clock.
func New(db *store.Store, blobs *blob.Store, now func() time.Time) *Service {
	return &Service{store: db, blobs: blobs, now: now}
}

type datasetRow struct {
	Dataset store.Message[datacatalog.Dataset, *datacatalog.Dataset]
}

// artifactRow is an artifact without its data, and where each of its values lies.
type artifactRow struct {
	Artifact store.Message[datacatalog.Artifact, *datacatalog.Artifact]
	Values   []valueRow
}

type valueRow struct{ Name, URI string }

type tagRow struct{ ArtifactID string }

var (
	datasets  = store.NewTable[datasetRow]("datasets")
	artifacts = store.NewTable[artifactRow]("artifacts")
	tags      = store.NewTable[tagRow]("tags")
)

func datasetKey(id *datacatalog.DatasetID) store.Key {
	return store.KeyOf(id.GetProject(), id.GetDomain(), id.GetName(), id.GetVersion())
}

func checkDataset(id *datacatalog.DatasetID) error {
	if id == nil {
		return fault.Missing("dataset")
	}
	return fault.Fields(
		fault.Field{Name: "project", Value: id.GetProject()}, fault.Field{Name: "domain", Value: id.GetDomain()},
		fault.Field{Name: "name", Value: id.GetName()}, fault.Field{Name: "version", Value: id.GetVersion()})
}

func dataset(tx *store.Tx, id *datacatalog.DatasetID) (*datacatalog.Dataset, error) {
	record, err := datasets.Get(tx, datasetKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.NotFound("Dataset", id)
	}
	return record.Row.Dataset.Value, err
}

// CreateDataset stores a dataset: one task's version and interface.
func (s *Service) CreateDataset(_ context.Context, request *datacatalog.CreateDatasetRequest) (*datacatalog.CreateDatasetResponse, error) {
	made := request.GetDataset()
	if err := checkDataset(made.GetId()); err != nil {
		return nil, err
	}
	made.Id.UUID = uuid.NewString()
	err := s.store.Update(func(tx *store.Tx) error {
		return datasets.Insert(tx, datasetKey(made.GetId()), datasetRow{Dataset: store.Of(made)})
	})
	if errors.Is(err, store.ErrExists) {
		return nil, fault.Exists("value with matching already exists (dataset %v)", made.GetId())
	}
	return &datacatalog.CreateDatasetResponse{}, err
}

// GetDataset answers with a dataset.
func (s *Service) GetDataset(_ context.Context, request *datacatalog.GetDatasetRequest) (*datacatalog.GetDatasetResponse, error) {
	if err := checkDataset(request.GetDataset()); err != nil {
		return nil, err
	}
	response := &datacatalog.GetDatasetResponse{}
	err := s.store.View(func(tx *store.Tx) (err error) {
		response.Dataset, err = dataset(tx, request.GetDataset())
		return err
	})
	return response, err
}

// AddTag names an artifact; FlytePropeller's name is a hash of the inputs.
func (s *Service) AddTag(_ context.Context, request *datacatalog.AddTagRequest) (*datacatalog.AddTagResponse, error) {
	tag := request.GetTag()
	if err := checkDataset(tag.GetDataset()); err != nil {
		return nil, err
	}
	if err := fault.Fields(fault.Field{Name: "name", Value: tag.GetName()}, fault.Field{Name: "artifact id", Value: tag.GetArtifactId()}); err != nil {
		return nil, err
	}
	err := s.store.Update(func(tx *store.Tx) error {
		if _, err := dataset(tx, tag.GetDataset()); err != nil {
			return err
		}
		key := datasetKey(tag.GetDataset()).Below()
		record, err := artifacts.Get(tx, key+store.Key(tag.GetArtifactId()))
		if errors.Is(err, store.ErrNotFound) {
			return fault.NotFound("Artifact", tag)
		}
		if err != nil {
			return err
		}
		if err := tags.Insert(tx, key+store.Key(tag.GetName()), tagRow{ArtifactID: tag.GetArtifactId()}); err != nil {
			return err
		}
		record.Row.Artifact.Value.Tags = append(record.Row.Artifact.Value.Tags, tag)
		return artifacts.Update(tx, key+store.Key(tag.GetArtifactId()), record)
	})
	if errors.Is(err, store.ErrExists) {
		return nil, fault.Exists("value with matching already exists (tag %s)", tag.GetName())
	}
	return &datacatalog.AddTagResponse{}, err
}
