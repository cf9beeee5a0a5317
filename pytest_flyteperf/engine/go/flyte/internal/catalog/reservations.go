package catalog

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/datacatalog"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// DataCatalog's defaults: a reservation outlives this many missed heartbeats.
const (
	longestHeartbeat = 10 * time.Second
	graceMultiplier  = 3
)

type reservationRow struct {
	Owner   string
	Expires time.Time
}

var reservations = store.NewTable[reservationRow]("reservations")

func reservationKey(id *datacatalog.ReservationID) store.Key {
	return datasetKey(id.GetDatasetId()).Below() + store.Key(id.GetTagName())
}

// GetOrExtendReservation gives the reservation to the asker if nobody holds it, extends the asker's own, or says who holds it.
func (s *Service) GetOrExtendReservation(_ context.Context, request *datacatalog.GetOrExtendReservationRequest) (
	*datacatalog.GetOrExtendReservationResponse, error,
) {
	id := request.GetReservationId()
	if err := checkDataset(id.GetDatasetId()); err != nil {
		return nil, err
	}
	heartbeat := longestHeartbeat
	if asked := request.GetHeartbeatInterval(); asked != nil {
		heartbeat = min(heartbeat, asked.AsDuration())
	}
	var held reservationRow
	err := s.store.Update(func(tx *store.Tx) error {
		now := s.now()
		record, err := reservations.Get(tx, reservationKey(id))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		held = record.Row
		if err == nil && held.Owner != request.GetOwnerId() && !held.Expires.Before(now) {
			return nil
		}
		held = reservationRow{Owner: request.GetOwnerId(), Expires: now.Add(graceMultiplier * heartbeat)}
		return reservations.Upsert(tx, reservationKey(id), held)
	})
	if err != nil {
		return nil, err
	}
	return &datacatalog.GetOrExtendReservationResponse{Reservation: &datacatalog.Reservation{
		ReservationId:     id,
		OwnerId:           held.Owner,
		HeartbeatInterval: durationpb.New(heartbeat),
		ExpiresAt:         timestamppb.New(held.Expires),
	}}, nil
}

// ReleaseReservation gives up the asker's own reservation; that of another, or none, is left as it is.
func (s *Service) ReleaseReservation(_ context.Context, request *datacatalog.ReleaseReservationRequest) (*datacatalog.ReleaseReservationResponse, error) {
	id := request.GetReservationId()
	if err := checkDataset(id.GetDatasetId()); err != nil {
		return nil, err
	}
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := reservations.Get(tx, reservationKey(id))
		if errors.Is(err, store.ErrNotFound) || err == nil && record.Row.Owner != request.GetOwnerId() {
			return nil
		}
		if err != nil {
			return err
		}
		return reservations.Delete(tx, reservationKey(id))
	})
	return &datacatalog.ReleaseReservationResponse{}, err
}
