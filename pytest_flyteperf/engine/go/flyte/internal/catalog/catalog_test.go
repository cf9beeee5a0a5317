package catalog_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/catalog"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
)

var dataset = &datacatalog.DatasetID{Project: "flytesnacks", Domain: "development", Name: "flyte_task-t", Version: "1-abc"}

type world struct {
	*catalog.Service
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: fixture.Noon}
	w.Service = catalog.New(fixture.Store(t), fixture.Blobs(t), func() time.Time { return w.now })
	return w
}

func (w *world) fill(t *testing.T) {
	t.Helper()
	if _, err := w.CreateDataset(t.Context(), &datacatalog.CreateDatasetRequest{Dataset: &datacatalog.Dataset{Id: dataset}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateArtifact(t.Context(), artifact("art", 7)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddTag(t.Context(), &datacatalog.AddTagRequest{Tag: &datacatalog.Tag{Dataset: dataset, ArtifactId: "art", Name: "hash"}}); err != nil {
		t.Fatal(err)
	}
}

func artifact(id string, value int64) *datacatalog.CreateArtifactRequest {
	return &datacatalog.CreateArtifactRequest{Artifact: &datacatalog.Artifact{Id: id, Dataset: dataset, Data: data("o0", value)}}
}

func data(name string, value int64) []*datacatalog.ArtifactData {
	return []*datacatalog.ArtifactData{{Name: name, Value: fixture.Integer(value)}}
}

func (w *world) byTag(t *testing.T, tag string) (*datacatalog.Artifact, error) {
	t.Helper()
	response, err := w.GetArtifact(t.Context(), &datacatalog.GetArtifactRequest{
		Dataset: dataset, QueryHandle: &datacatalog.GetArtifactRequest_TagName{TagName: tag},
	})
	return response.GetArtifact(), err
}

func TestMissIsNotFound(t *testing.T) {
	w := newWorld(t)
	if _, err := w.GetDataset(t.Context(), &datacatalog.GetDatasetRequest{Dataset: dataset}); status.Code(err) != codes.NotFound {
		t.Errorf("dataset: got %v", err)
	}
	w.fill(t)
	if _, err := w.byTag(t, "other"); status.Code(err) != codes.NotFound {
		t.Errorf("tag: got %v", err)
	}
}

func TestHitBringsTheOutputs(t *testing.T) {
	w := newWorld(t)
	w.fill(t)
	hit, err := w.byTag(t, "hash")
	if err != nil {
		t.Fatal(err)
	}
	if hit.GetId() != "art" || len(hit.GetTags()) != 1 || hit.GetDataset().GetUUID() == "" {
		t.Errorf("want the tagged artifact of a dataset with a UUID, got %v", hit)
	}
	if got := integer(hit.GetData()[0].GetValue()); got != 7 {
		t.Errorf("want 7, got %d", got)
	}
}

func TestSecondOfAKindExists(t *testing.T) {
	w := newWorld(t)
	w.fill(t)
	_, datasetErr := w.CreateDataset(t.Context(), &datacatalog.CreateDatasetRequest{Dataset: &datacatalog.Dataset{Id: dataset}})
	_, artifactErr := w.CreateArtifact(t.Context(), artifact("art", 8))
	_, tagErr := w.AddTag(t.Context(), &datacatalog.AddTagRequest{Tag: &datacatalog.Tag{Dataset: dataset, ArtifactId: "art", Name: "hash"}})
	for what, err := range map[string]error{"dataset": datasetErr, "artifact": artifactErr, "tag": tagErr} {
		if status.Code(err) != codes.AlreadyExists {
			t.Errorf("%s: want AlreadyExists, got %v", what, err)
		}
	}
}

func TestUpdateReplacesTheOutputs(t *testing.T) {
	w := newWorld(t)
	w.fill(t)
	_, err := w.UpdateArtifact(t.Context(), &datacatalog.UpdateArtifactRequest{
		Dataset: dataset, QueryHandle: &datacatalog.UpdateArtifactRequest_TagName{TagName: "hash"}, Data: data("o1", 9),
	})
	if err != nil {
		t.Fatal(err)
	}
	hit, err := w.byTag(t, "hash")
	if err != nil || len(hit.GetData()) != 1 || hit.GetData()[0].GetName() != "o1" || integer(hit.GetData()[0].GetValue()) != 9 {
		t.Errorf("want o1=9 alone, got %v, %v", hit, err)
	}
}

func TestArtifactsAreListed(t *testing.T) {
	w := newWorld(t)
	w.fill(t)
	if _, err := w.CreateArtifact(t.Context(), artifact("second", 8)); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListArtifacts(t.Context(), &datacatalog.ListArtifactsRequest{Dataset: dataset, Pagination: &datacatalog.PaginationOptions{Limit: 1}})
	if err != nil || len(list.GetArtifacts()) != 1 || list.GetNextToken() != "1" {
		t.Errorf("want one artifact and a token, got %v, %v", list, err)
	}
}

func (w *world) reserve(t *testing.T, owner string) *datacatalog.Reservation {
	t.Helper()
	response, err := w.GetOrExtendReservation(t.Context(), &datacatalog.GetOrExtendReservationRequest{
		ReservationId: &datacatalog.ReservationID{DatasetId: dataset, TagName: "hash"}, OwnerId: owner,
		HeartbeatInterval: durationpb.New(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetReservation()
}

func (w *world) release(t *testing.T, owner string) {
	t.Helper()
	_, err := w.ReleaseReservation(t.Context(), &datacatalog.ReleaseReservationRequest{
		ReservationId: &datacatalog.ReservationID{DatasetId: dataset, TagName: "hash"}, OwnerId: owner,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReservationIsHeldByOne(t *testing.T) {
	w := newWorld(t)
	if got := w.reserve(t, "first"); got.GetOwnerId() != "first" || got.GetHeartbeatInterval().AsDuration() != 10*time.Second {
		t.Errorf("want the first with the longest heartbeat, got %v", got)
	}
	if got := w.reserve(t, "second").GetOwnerId(); got != "first" {
		t.Errorf("want the holder named, got %s", got)
	}
	w.release(t, "second")
	if got := w.reserve(t, "second").GetOwnerId(); got != "first" {
		t.Errorf("nobody releases for another, got %s", got)
	}
	w.release(t, "first")
	if got := w.reserve(t, "second").GetOwnerId(); got != "second" {
		t.Errorf("want it free, got %s", got)
	}
}

func TestReservationEndsWithItsHeartbeats(t *testing.T) {
	w := newWorld(t)
	w.reserve(t, "first")
	w.now = w.now.Add(20 * time.Second)
	w.reserve(t, "first")
	w.now = w.now.Add(30 * time.Second)
	if got := w.reserve(t, "second").GetOwnerId(); got != "first" {
		t.Errorf("extended for 30s: want it held to the end, got %s", got)
	}
	w.now = w.now.Add(time.Millisecond)
	if got := w.reserve(t, "second").GetOwnerId(); got != "second" {
		t.Errorf("want it free after the end, got %s", got)
	}
}

func integer(literal *core.Literal) int64 {
	return literal.GetScalar().GetPrimitive().GetInteger()
}
