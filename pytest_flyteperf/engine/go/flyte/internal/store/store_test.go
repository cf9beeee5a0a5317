package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

type row struct {
	ID   store.Message[core.Identifier, *core.Identifier]
	Note string
}

var rows = store.NewTable[row]("rows")

const writerVariable = "FLYTEPERF_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(m.Run())
}

func writeUntilKilled(path string) {
	db, err := store.Open(path, time.Now)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("key-%d", i)
		if err := db.Update(func(tx *store.Tx) error { return rows.Insert(tx, store.KeyOf(key), row{Note: key}) }); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(key)
	}
}

func TestEveryAcknowledgedWriteSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerVariable+"="+path)
	output, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 50 {
			if err := writer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writer.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}

	db := open(t, path)
	if len(acknowledged) < 50 {
		t.Fatalf("only %d writes were acknowledged: %v", len(acknowledged), acknowledged)
	}
	err = db.View(func(tx *store.Tx) error {
		for _, key := range acknowledged {
			record, err := rows.Get(tx, store.KeyOf(key))
			if err != nil || record.Row.Note != key {
				t.Errorf("%s was acknowledged and is lost: %v", key, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASecondProcessIsToldWhoHoldsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, path)
	_, err := store.Open(path, time.Now)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "locked by another process") {
		t.Errorf("want a refusal that names the file and the lock, got %v", err)
	}
}

func TestAFailedUpdateLeavesNothing(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "state.db"))
	failure := errors.New("no")
	err := db.Update(func(tx *store.Tx) error {
		if err := rows.Insert(tx, "a", row{}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatalf("want the callback's error, got %v", err)
	}
	err = db.View(func(tx *store.Tx) error {
		_, err := rows.Get(tx, "a")
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("want not found, got %v", err)
	}
}

func TestRowsComeBackAsStored(t *testing.T) {
	stamp := time.Date(2026, 11, 22, 1, 2, 3, 456_789_000, time.UTC)
	db, err := store.Open(filepath.Join(t.TempDir(), "state.db"), func() time.Time { return stamp })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	id := &core.Identifier{Project: "p", Name: "n"}
	if err := db.Update(func(tx *store.Tx) error { return rows.Insert(tx, store.KeyOf("p", "n"), row{ID: store.Of(id)}) }); err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *store.Tx) error { return rows.Insert(tx, store.KeyOf("p", "n"), row{}) })
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("want exists, got %v", err)
	}
	err = db.View(func(tx *store.Tx) error {
		record, err := rows.Get(tx, store.KeyOf("p", "n"))
		if err != nil {
			return err
		}
		if !proto.Equal(id, record.Row.ID.Value) {
			t.Errorf("want %v, got %v", id, record.Row.ID.Value)
		}
		if !record.CreatedAt.Equal(stamp) || record.Seq != 1 {
			t.Errorf("want row 1 of %v, got row %d of %v", stamp, record.Seq, record.CreatedAt)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestScanStopsAtThePartsEnd(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "state.db"))
	err := db.Update(func(tx *store.Tx) error {
		for _, key := range []store.Key{store.KeyOf("a", "1"), store.KeyOf("a", "2"), store.KeyOf("ab", "3"), store.KeyOf("a")} {
			if err := rows.Insert(tx, key, row{Note: string(key)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = db.View(func(tx *store.Tx) error {
		records, err := rows.Scan(tx, store.KeyOf("a").Below())
		for _, record := range records {
			found = append(found, record.Row.Note)
		}
		return err
	})
	if want := []string{"a\x001", "a\x002"}; err != nil || fmt.Sprintf("%q", want) != fmt.Sprintf("%q", found) {
		t.Errorf("want %q, got %q, %v", want, found, err)
	}
}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	db, err := store.Open(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
