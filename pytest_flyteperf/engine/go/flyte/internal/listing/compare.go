package listing

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
)

type comparison struct {
	many  bool
	holds func(value any, operands []string) bool
}

// A column that holds NULL satisfies no comparison, as in SQL.
var comparisons = map[string]comparison{
	"eq":           ordered(func(order int) bool { return order == 0 }),
	"ne":           ordered(func(order int) bool { return order != 0 }),
	"gt":           ordered(func(order int) bool { return order > 0 }),
	"gte":          ordered(func(order int) bool { return order >= 0 }),
	"lt":           ordered(func(order int) bool { return order < 0 }),
	"lte":          ordered(func(order int) bool { return order <= 0 }),
	"contains":     textual(func(text, operand string) bool { return like(text, "%"+operand+"%") }),
	"not_like":     textual(func(text, operand string) bool { return !like(text, operand) }),
	"value_in":     {many: true, holds: among},
	"value_not_in": {many: true, holds: func(value any, operands []string) bool { return value != nil && !among(value, operands) }},
}

func ordered(accept func(order int) bool) comparison {
	return comparison{holds: func(value any, operands []string) bool {
		order, comparable := compare(value, operands[0])
		return comparable && accept(order)
	}}
}

func textual(accept func(text, operand string) bool) comparison {
	return comparison{holds: func(value any, operands []string) bool {
		text, isText := value.(string)
		return isText && accept(text, operands[0])
	}}
}

func among(value any, operands []string) bool {
	return slices.ContainsFunc(operands, func(operand string) bool {
		order, comparable := compare(value, operand)
		return comparable && order == 0
	})
}

// like is SQL's LIKE: % stands for any text, _ for any character.
func like(text, pattern string) bool {
	quoted := strings.NewReplacer("%", "(?s:.*)", "_", "(?s:.)").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + quoted + "$").MatchString(text)
}

func compare(value any, operand string) (order int, comparable bool) {
	switch value := value.(type) {
	case string:
		return cmp.Compare(value, operand), true
	case int64:
		number, err := strconv.ParseInt(operand, 10, 64)
		return cmp.Compare(value, number), err == nil
	case time.Time:
		moment, err := parseTime(operand)
		return value.Compare(moment), err == nil
	case time.Duration:
		duration, err := parseDuration(operand)
		return cmp.Compare(value, duration), err == nil
	default:
		return 0, false
	}
}

// check refuses operands that the column could never be compared with.
func check(field string, operands []string) error {
	name := field[strings.LastIndex(field, ".")+1:]
	for _, operand := range operands {
		switch {
		case strings.HasSuffix(name, "_at"):
			if _, err := parseTime(operand); err != nil {
				return fault.Invalid("Timestamp %s must conform to RFC3339 Nano spec", operand)
			}
		case name == "duration":
			if _, err := parseDuration(operand); err != nil {
				return fault.Invalid("Failed to parse duration [%s]", operand)
			}
		}
	}
	return nil
}

func parseTime(text string) (time.Time, error) {
	return time.Parse(time.RFC3339Nano, text)
}

// parseDuration reads Go's notation; a bare number counts seconds.
func parseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	return time.ParseDuration(text)
}
