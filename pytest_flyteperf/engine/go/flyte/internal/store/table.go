package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const separator = "\x00"

// Key names a row; keys sort by their parts, and a leading part of a key is a prefix of all keys below it.
type Key string

// KeyOf joins parts, outermost first.
func KeyOf(parts ...string) Key {
	return Key(strings.Join(parts, separator))
}

// Below is the prefix of all keys that have more parts than k.
func (k Key) Below() Key {
	return k + separator
}

// Record is a stored row and what the store adds to it. Times have microseconds, as in FlyteAdmin's database.
type Record[R any] struct {
	Seq       uint64
	CreatedAt time.Time
	UpdatedAt time.Time
	Row       R
}

// Table holds rows of one kind.
type Table[R any] struct {
	name []byte
}

// NewTable names a table; it comes into being with its first row.
func NewTable[R any](name string) Table[R] {
	return Table[R]{name: []byte(name)}
}

// Get reads one row, or fails with ErrNotFound.
func (t Table[R]) Get(tx *Tx, key Key) (Record[R], error) {
	var record Record[R]
	bucket := tx.bolt.Bucket(t.name)
	if bucket == nil {
		return record, ErrNotFound
	}
	value := bucket.Get([]byte(key))
	if value == nil {
		return record, ErrNotFound
	}
	return decode[R](t.name, value)
}

// Has tells whether the key is stored.
func (t Table[R]) Has(tx *Tx, key Key) bool {
	bucket := tx.bolt.Bucket(t.name)
	return bucket != nil && bucket.Get([]byte(key)) != nil
}

// Insert stores a new row, or fails with ErrExists.
func (t Table[R]) Insert(tx *Tx, key Key, row R) error {
	bucket, err := tx.bolt.CreateBucketIfNotExists(t.name)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	if bucket.Get([]byte(key)) != nil {
		return ErrExists
	}
	seq, err := bucket.NextSequence()
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	return t.write(tx, key, Record[R]{Seq: seq, CreatedAt: tx.now, UpdatedAt: tx.now, Row: row})
}

// Update replaces the row of a record that was read in the same transaction.
func (t Table[R]) Update(tx *Tx, key Key, record Record[R]) error {
	record.UpdatedAt = tx.now
	return t.write(tx, key, record)
}

// Upsert inserts the row or replaces the one that is there.
func (t Table[R]) Upsert(tx *Tx, key Key, row R) error {
	if !t.Has(tx, key) {
		return t.Insert(tx, key, row)
	}
	record, err := t.Get(tx, key)
	if err != nil {
		return err
	}
	record.Row = row
	return t.Update(tx, key, record)
}

// Delete removes a row, or fails with ErrNotFound.
func (t Table[R]) Delete(tx *Tx, key Key) error {
	if !t.Has(tx, key) {
		return ErrNotFound
	}
	if err := tx.bolt.Bucket(t.name).Delete([]byte(key)); err != nil {
		return fmt.Errorf("table %s: delete: %w", t.name, err)
	}
	return nil
}

// Scan reads all rows whose key starts with prefix, in the order of keys.
func (t Table[R]) Scan(tx *Tx, prefix Key) ([]Record[R], error) {
	bucket := tx.bolt.Bucket(t.name)
	if bucket == nil {
		return nil, nil
	}
	var records []Record[R]
	cursor := bucket.Cursor()
	for key, value := cursor.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, value = cursor.Next() {
		record, err := decode[R](t.name, value)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func (t Table[R]) write(tx *Tx, key Key, record Record[R]) error {
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("table %s: encode: %w", t.name, err)
	}
	if err := tx.bolt.Bucket(t.name).Put([]byte(key), value); err != nil {
		return fmt.Errorf("table %s: write: %w", t.name, err)
	}
	return nil
}

func decode[R any](table, value []byte) (Record[R], error) {
	var record Record[R]
	if err := json.Unmarshal(value, &record); err != nil {
		return record, fmt.Errorf("table %s: decode: %w", table, err)
	}
	return record, nil
}
