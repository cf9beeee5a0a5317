// Package listing filters, sorts and pages rows as FlyteAdmin does: `func(field,value)` joined by `+`, one sort column, offsets as tokens.
package listing

import (
	"regexp"
	"strings"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

// Columns gives the value of each column of a row: nil, string, int64, time.Time or time.Duration.
// A column of a joined entity is named `entity.column`.
type Columns[R any] map[string]func(store.Record[R]) any

type predicate[R any] func(store.Record[R]) bool

var expression = regexp.MustCompile(`^(.+)\((.+),\s?(.+)\)$`)

func parse[R any](filters, entity string, columns Columns[R]) ([]predicate[R], error) {
	if filters == "" {
		return nil, nil
	}
	var predicates []predicate[R]
	for part := range strings.SplitSeq(filters, "+") {
		match := expression.FindStringSubmatch(part)
		if match == nil {
			return nil, fault.Invalid("invalid value for filters: %q is not func(field,value)", part)
		}
		column, err := find(match[2], entity, columns)
		if err != nil {
			return nil, err
		}
		compare, known := comparisons[match[1]]
		if !known {
			return nil, fault.Invalid("unrecognized filter function: %s", match[1])
		}
		operands := strings.Split(match[3], ";")
		if len(operands) > 1 && !compare.many {
			return nil, fault.Invalid("filter %s takes one value, not %d", match[1], len(operands))
		}
		predicates = append(predicates, func(record store.Record[R]) bool {
			return compare.holds(column(record), operands)
		})
		if err := check(match[2], operands); err != nil {
			return nil, err
		}
	}
	return predicates, nil
}

func find[R any](field, entity string, columns Columns[R]) (func(store.Record[R]) any, error) {
	name := strings.TrimPrefix(field, entity+".")
	column, known := columns[name]
	if !known {
		return nil, fault.Invalid("'%s.%s' is invalid filter", entity, name)
	}
	return column, nil
}
