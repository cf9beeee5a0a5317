// Package signals keeps the values that gate nodes wait for.
package signals

import (
	"context"
	"errors"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/service"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler/validators"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Service answers SignalService.
type Service struct {
	service.UnimplementedSignalServiceServer

	store *store.Store
}

// New makes the service.
func New(db *store.Store) *Service {
	return &Service{store: db}
}

type signalRecord = store.Record[records.Signal]

var columns = listing.Base(listing.Columns[records.Signal]{
	"execution_project": func(r signalRecord) any { return r.Row.ID.Value.GetExecutionId().GetProject() },
	"execution_domain":  func(r signalRecord) any { return r.Row.ID.Value.GetExecutionId().GetDomain() },
	"execution_name":    func(r signalRecord) any { return r.Row.ID.Value.GetExecutionId().GetName() },
	"signal_id":         func(r signalRecord) any { return r.Row.ID.Value.GetSignalId() },
})

// GetOrCreateSignal answers with a signal; FlytePropeller asks at every evaluation of its gate. It is written the first time only.
func (s *Service) GetOrCreateSignal(_ context.Context, request *admin.SignalGetOrCreateRequest) (*admin.Signal, error) {
	if err := check(request.GetId()); err != nil {
		return nil, err
	}
	if request.GetType() == nil {
		return nil, fault.Missing("type")
	}
	key := records.SignalKey(request.GetId())
	signal, err := s.get(key)
	if !errors.Is(err, store.ErrNotFound) {
		return signal, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if records.Signals.Has(tx, key) {
			return nil
		}
		return records.Signals.Insert(tx, key, records.Signal{ID: store.Of(request.GetId()), Type: store.Of(request.GetType())})
	})
	if err != nil {
		return nil, err
	}
	return s.get(key)
}

// SetSignal gives a signal its value, which must be of the signal's type.
func (s *Service) SetSignal(_ context.Context, request *admin.SignalSetRequest) (*admin.SignalSetResponse, error) {
	if err := check(request.GetId()); err != nil {
		return nil, err
	}
	if request.GetValue() == nil {
		return nil, fault.Missing("value")
	}
	given := validators.LiteralTypeForLiteral(request.GetValue())
	if err := validators.ValidateLiteralType(given); err != nil {
		return nil, fault.Invalid("Failed to validate literal type for the signal with err: %s", err)
	}
	key := records.SignalKey(request.GetId())
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := records.Signals.Get(tx, key)
		if errors.Is(err, store.ErrNotFound) {
			return fault.Invalid("failed to validate that signal [%v] exists, err: [%v]", request.GetId(), err)
		}
		if err != nil {
			return err
		}
		if !validators.AreTypesCastable(record.Row.Type.Value, given) {
			return fault.Invalid("requested signal value [%v] is not castable to existing signal type [%v]", request.GetValue(), record.Row.Type.Value)
		}
		record.Row.Value = store.Of(request.GetValue())
		return records.Signals.Update(tx, key, record)
	})
	return &admin.SignalSetResponse{}, err
}

// ListSignals answers with the signals of an execution.
func (s *Service) ListSignals(_ context.Context, request *admin.SignalListRequest) (*admin.SignalList, error) {
	if err := fault.Execution(request.GetWorkflowExecutionId()); err != nil {
		return nil, err
	}
	list := &admin.SignalList{}
	err := s.store.View(func(tx *store.Tx) error {
		all, err := records.Signals.Scan(tx, records.ExecutionKey(request.GetWorkflowExecutionId()).Below())
		if err != nil {
			return err
		}
		page, token, err := listing.Page(all, "signal", columns, request)
		list.Token = token
		for _, record := range page {
			list.Signals = append(list.Signals, signalOf(record))
		}
		return err
	})
	return list, err
}

func (s *Service) get(key store.Key) (*admin.Signal, error) {
	var signal *admin.Signal
	err := s.store.View(func(tx *store.Tx) error {
		record, err := records.Signals.Get(tx, key)
		signal = signalOf(record)
		return err
	})
	return signal, err
}

func signalOf(record signalRecord) *admin.Signal {
	return &admin.Signal{Id: record.Row.ID.Value, Type: record.Row.Type.Value, Value: record.Row.Value.Value}
}

func check(id *core.SignalIdentifier) error {
	if err := fault.Fields(fault.Field{Name: "signal_id", Value: id.GetSignalId()}); err != nil {
		return err
	}
	return fault.Execution(id.GetExecutionId())
}
