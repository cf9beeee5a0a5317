package listing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/listing"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

type run struct {
	name     string
	phase    string
	mode     int64
	started  any
	duration time.Duration
	plan     string
}

type record = store.Record[run]

var columns = listing.Base(listing.Columns[run]{
	"name":             func(r record) any { return r.Row.name },
	"phase":            func(r record) any { return r.Row.phase },
	"mode":             func(r record) any { return r.Row.mode },
	"started_at":       func(r record) any { return r.Row.started },
	"duration":         func(r record) any { return r.Row.duration },
	"launch_plan.name": func(r record) any { return r.Row.plan },
})

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var runs = []record{
	{Seq: 1, Row: run{"b", "SUCCEEDED", 0, noon, 90 * time.Second, "daily"}},
	{Seq: 2, Row: run{"a", "FAILED", 4, noon.Add(time.Nanosecond), time.Second, "daily"}},
	{Seq: 3, Row: run{"a_b", "RUNNING", 4, nil, 0, "hourly"}},
}

func TestFilters(t *testing.T) {
	for sentence, test := range map[string]struct{ filters, want string }{
		"no filter keeps all in the order of insertion": {"", "b a a_b"},
		"equality of text":                   {"eq(phase,FAILED)", "a"},
		"equality of numbers":                {"eq(mode,4)", "a a_b"},
		"a space after the comma":            {"eq(mode, 0)", "b"},
		"inequality":                         {"ne(phase,FAILED)", "b a_b"},
		"all filters hold":                   {"eq(mode,4)+ne(name,a)", "a_b"},
		"one of several values":              {"value_in(phase,FAILED;RUNNING)", "a a_b"},
		"one value in the list":              {"value_in(phase,FAILED)", "a"},
		"none of several values":             {"value_not_in(phase,FAILED;RUNNING)", "b"},
		"part of a text":                     {"contains(phase,CCE)", "b"},
		"an underscore matches any letter":   {"contains(name,a_)", "a_b"},
		"not like a pattern":                 {"not_like(name,a%)", "b"},
		"later by a nanosecond":              {"gt(started_at,2026-11-22T12:00:00Z)", "a"},
		"NULL satisfies no comparison":       {"ne(started_at,2026-11-22T12:00:00Z)", "a"},
		"at most":                            {"lte(started_at,2026-11-22T12:00:00Z)", "b"},
		"a bare duration counts in seconds":  {"gte(duration,1.5)", "b"},
		"a duration with its unit":           {"lt(duration,1m)", "a a_b"},
		"the entity's own name may be given": {"eq(execution.phase,FAILED)", "a"},
		"a joined entity":                    {"eq(launch_plan.name,hourly)", "a_b"},
		"a number that is none matches none": {"eq(mode,four)", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			page, _, err := listing.Page(runs, "execution", columns, &admin.ResourceListRequest{Limit: 10, Filters: test.filters})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(page); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for sentence, request := range map[string]*admin.ResourceListRequest{
		"an unknown column":              {Limit: 1, Filters: "eq(colour,red)"},
		"an unknown joined column":       {Limit: 1, Filters: "eq(task.colour,red)"},
		"an unknown function":            {Limit: 1, Filters: "near(phase,FAILED)"},
		"a filter that is none":          {Limit: 1, Filters: "phase=FAILED"},
		"several values for one":         {Limit: 1, Filters: "eq(phase,FAILED;RUNNING)"},
		"a time that is none":            {Limit: 1, Filters: "gt(started_at,noon)"},
		"a duration that is none":        {Limit: 1, Filters: "gt(duration,long)"},
		"no limit":                       {},
		"a token that is no number":      {Limit: 1, Token: "next"},
		"a negative token":               {Limit: 1, Token: "-1"},
		"an unknown column to sort by":   {Limit: 1, SortBy: &admin.Sort{Key: "colour"}},
		"a filter behind a correct one":  {Limit: 1, Filters: "eq(phase,FAILED)+oops"},
		"an empty part between two plus": {Limit: 1, Filters: "eq(phase,FAILED)++eq(mode,4)"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, _, err := listing.Page(runs, "execution", columns, request)
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("want InvalidArgument, got %v", err)
			}
		})
	}
}

func TestSorting(t *testing.T) {
	for sentence, test := range map[string]struct {
		sort *admin.Sort
		want string
	}{
		"descending is the default direction": {&admin.Sort{Key: "name"}, "b a_b a"},
		"ascending":                           {&admin.Sort{Key: "name", Direction: admin.Sort_ASCENDING}, "a a_b b"},
		"NULL comes last when ascending":      {&admin.Sort{Key: "started_at", Direction: admin.Sort_ASCENDING}, "b a a_b"},
		"NULL comes first when descending":    {&admin.Sort{Key: "started_at"}, "a_b a b"},
		"equal values keep their order":       {&admin.Sort{Key: "mode"}, "a a_b b"},
	} {
		t.Run(sentence, func(t *testing.T) {
			page, _, err := listing.Page(slices.Clone(runs), "execution", columns, &admin.ResourceListRequest{Limit: 10, SortBy: test.sort})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(page); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestPaging(t *testing.T) {
	for sentence, test := range map[string]struct {
		limit             uint32
		token, want, next string
	}{
		"a full page brings a token":                {2, "", "b a", "2"},
		"a short page brings none":                  {2, "2", "a_b", ""},
		"a page that ends exactly still brings one": {3, "", "b a a_b", "3"},
		"the page after the last is empty":          {3, "3", "", ""},
		"far beyond the end":                        {3, "1000", "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			page, next, err := listing.Page(runs, "execution", columns, &admin.ResourceListRequest{Limit: test.limit, Token: test.token})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(page); got != test.want || next != test.next {
				t.Errorf("want %q and token %q, got %q and %q", test.want, test.next, got, next)
			}
		})
	}
}

func names(page []record) string {
	all := make([]string, len(page))
	for i, r := range page {
		all[i] = r.Row.name
	}
	return strings.Join(all, " ")
}
