// Package blob reads and writes the messages that FlyteAdmin keeps in the object store, at FlyteAdmin's paths.
package blob

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytestdlib/logger"
	"github.com/flyteorg/flyte/flytestdlib/storage"
)

const metadata = "metadata"

// Store is the object store with FlyteAdmin's own prefix for closures.
type Store struct {
	data   *storage.DataStore
	prefix []string
}

// New keeps closures below prefix, which FlyteAdmin calls metadataStoragePrefix.
func New(data *storage.DataStore, prefix []string) *Store {
	return &Store{data: data, prefix: prefix}
}

// Data is the object store itself.
func (s *Store) Data() *storage.DataStore {
	return s.data
}

// WriteInputs stores a literal map as metadata/<keys> and returns where. A nil map is stored as an empty one.
func (s *Store) WriteInputs(ctx context.Context, literals *core.LiteralMap, keys ...string) (string, error) {
	if literals == nil {
		literals = &core.LiteralMap{}
	}
	return s.write(ctx, literals, append([]string{metadata}, keys...))
}

// WriteClosure stores a closure below FlyteAdmin's prefix and returns where.
func (s *Store) WriteClosure(ctx context.Context, closure proto.Message, keys ...string) (string, error) {
	return s.write(ctx, closure, append(append([]string{}, s.prefix...), keys...))
}

// Read reads the message at uri into message.
func (s *Store) Read(ctx context.Context, uri string, message proto.Message) error {
	if err := s.data.ReadProtobuf(ctx, storage.DataReference(uri), protoadapt.MessageV1Of(message)); err != nil {
		return fmt.Errorf("%s: read: %w", uri, err)
	}
	return nil
}

// Literals reads a literal map for an answer. Like FlyteAdmin it answers with an empty map where there is none or none can be read.
func (s *Store) Literals(ctx context.Context, uri string) *core.LiteralMap {
	literals := &core.LiteralMap{}
	if uri == "" {
		return literals
	}
	if err := s.Read(ctx, uri, literals); err != nil {
		logger.Warnf(ctx, "answering without literals: %v", err)
		return &core.LiteralMap{}
	}
	return literals
}

// Reference is the place of keys below the container.
func (s *Store) Reference(ctx context.Context, keys ...string) (string, error) {
	reference, err := s.data.ConstructReference(ctx, s.data.GetBaseContainerFQN(ctx), keys...)
	if err != nil {
		return "", fmt.Errorf("blob reference of %v: %w", keys, err)
	}
	return reference.String(), nil
}

func (s *Store) write(ctx context.Context, message proto.Message, keys []string) (string, error) {
	uri, err := s.Reference(ctx, keys...)
	if err != nil {
		return "", err
	}
	if err := s.data.WriteProtobuf(ctx, storage.DataReference(uri), storage.Options{}, protoadapt.MessageV1Of(message)); err != nil {
		return "", fmt.Errorf("%s: write: %w", uri, err)
	}
	return uri, nil
}

// Both reads inputs and outputs for an answer at once.
func (s *Store) Both(ctx context.Context, inputsURI, outputsURI string) (inputs, outputs *core.LiteralMap) {
	var group sync.WaitGroup
	group.Go(func() { inputs = s.Literals(ctx, inputsURI) })
	group.Go(func() { outputs = s.Literals(ctx, outputsURI) })
	group.Wait()
	return inputs, outputs
}

// WriteArtifact stores one output of a cached task below metadata/<keys>, as DataCatalog does, and returns where.
func (s *Store) WriteArtifact(ctx context.Context, literal *core.Literal, keys ...string) (string, error) {
	return s.write(ctx, literal, append(append([]string{metadata}, keys...), "data.pb"))
}

// Delete removes the blob at uri.
func (s *Store) Delete(ctx context.Context, uri string) error {
	if err := s.data.Delete(ctx, storage.DataReference(uri)); err != nil {
		return fmt.Errorf("%s: delete: %w", uri, err)
	}
	return nil
}
