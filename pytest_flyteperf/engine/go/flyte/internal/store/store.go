// Package store keeps rows of protobuf messages in one file. What Update has returned for is on disk: it survives kill -9.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrNotFound is returned for a key that is not stored, ErrExists for one that is stored and should not be.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
)

const lockWait = 500 * time.Millisecond

// Store is one open database file. It is locked while open.
type Store struct {
	db  *bolt.DB
	now func() time.Time
}

// Open opens or creates the database at path. Rows are stamped with now.
func Open(path string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("database %s: locked by another process; stop that stand-in first", path)
	}
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return &Store{db: db, now: now}, nil
}

// Close waits for running transactions and releases the lock.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("database %s: close: %w", s.db.Path(), err)
	}
	return nil
}

// Tx is one transaction: a consistent view, and all or nothing when it writes.
type Tx struct {
	bolt *bolt.Tx
	now  time.Time
}

// View runs read in a transaction that cannot write.
func (s *Store) View(read func(*Tx) error) error {
	return s.db.View(func(tx *bolt.Tx) error { return read(&Tx{bolt: tx}) })
}

// Update runs change alone and syncs what it wrote before it returns nil; an error of change undoes it all.
func (s *Store) Update(change func(*Tx) error) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		return change(&Tx{bolt: tx, now: s.now().UTC().Truncate(time.Microsecond)})
	})
}
