package listing

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Request is what a List call asks for.
type Request interface {
	GetLimit() uint32
	GetToken() string
	GetFilters() string
	GetSortBy() *admin.Sort
}

// Base adds to columns those that every table of FlyteAdmin has.
func Base[R any](columns Columns[R]) Columns[R] {
	all := Columns[R]{
		"id":         func(r store.Record[R]) any { return int64(r.Seq) },
		"created_at": func(r store.Record[R]) any { return r.CreatedAt },
		"updated_at": func(r store.Record[R]) any { return r.UpdatedAt },
		"deleted_at": func(store.Record[R]) any { return nil },
	}
	maps.Copy(all, columns)
	return all
}

// Page filters and sorts records and cuts the requested page. The token is empty unless the page is full.
// Without sort_by rows come in the order they were first stored; FlyteAdmin leaves that order open.
func Page[R any](records []store.Record[R], entity string, columns Columns[R], request Request) ([]store.Record[R], string, error) {
	if request.GetLimit() == 0 {
		return nil, "", fault.Invalid("invalid value for limit")
	}
	offset, err := strconv.ParseUint(cmp.Or(request.GetToken(), "0"), 10, 31)
	if err != nil {
		return nil, "", fault.Invalid("invalid pagination token %s", request.GetToken())
	}
	predicates, err := parse(request.GetFilters(), entity, columns)
	if err != nil {
		return nil, "", err
	}
	kept := make([]store.Record[R], 0, len(records))
	for _, record := range records {
		if !slices.ContainsFunc(predicates, func(holds predicate[R]) bool { return !holds(record) }) {
			kept = append(kept, record)
		}
	}
	if err := sortBy(kept, columns, request.GetSortBy()); err != nil {
		return nil, "", err
	}
	start := min(int(offset), len(kept))
	end := min(start+int(request.GetLimit()), len(kept))
	token := ""
	if end-start == int(request.GetLimit()) {
		token = strconv.Itoa(end)
	}
	return kept[start:end], token, nil
}

func sortBy[R any](records []store.Record[R], columns Columns[R], by *admin.Sort) error {
	column := columns["id"]
	if by.GetKey() != "" {
		known := false
		if column, known = columns[by.GetKey()]; !known {
			return fault.Invalid("invalid sort_key: %s", by.GetKey())
		}
	}
	sign := 1
	if by.GetKey() != "" && by.GetDirection() == admin.Sort_DESCENDING {
		sign = -1
	}
	slices.SortStableFunc(records, func(a, b store.Record[R]) int {
		return cmp.Or(sign*order(column(a), column(b)), cmp.Compare(a.Seq, b.Seq))
	})
	return nil
}

// order compares two values of one column; NULL sorts last, as in PostgreSQL.
func order(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case time.Time:
		return a.Compare(b.(time.Time))
	case time.Duration:
		return cmp.Compare(a, b.(time.Duration))
	default:
		return 0
	}
}
