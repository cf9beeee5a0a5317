// Program flyteperf-propeller is FlytePropeller for a machine of one user: the controller of the single binary, with
// the plugins that need no operator, an HTTP server on loopback unless told otherwise, and an end at the first SIGTERM.
//
// FlytePropeller's own command serves its metrics and profiles on all interfaces, ignores SIGTERM, and takes unknown
// configuration keys in silence; its plugin loader wants the Spark operator's module, which cannot be had.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/flyteorg/flyte/flytestdlib/config"
	"github.com/flyteorg/flyte/flytestdlib/config/viper"
	"github.com/flyteorg/flyte/flytestdlib/contextutils"
	"github.com/flyteorg/flyte/flytestdlib/promutils/labeled"
	"github.com/flyteorg/flyte/flytestdlib/storage"

	// Connectors need no import: FlytePropeller registers them as its configuration says.
	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/array/k8s"
	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/k8s/pod"
	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/testing"
)

func main() {
	path := flag.String("config", "", "configuration `file`, YAML")
	check := flag.Bool("check", false, "load the configuration, say what is wrong with it, and end")
	host := flag.String("host", "127.0.0.1", "`address` that metrics are served on; in a pod, 0.0.0.0")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := load(ctx, *path); err != nil {
		fail(err)
	}
	if *check {
		return
	}
	// The labels of the single binary: one set of figures, whichever of the two was measured.
	labeled.SetMetricKeys(contextutils.AppNameKey, contextutils.ProjectKey, contextutils.DomainKey,
		contextutils.WorkflowIDKey, contextutils.NodeIDKey, contextutils.TaskIDKey, contextutils.TaskTypeKey,
		"runtime_type", "runtime_version", storage.FailureTypeLabel)
	if err := run(ctx, *host); err != nil {
		fail(err)
	}
}

// load reads the file strictly: a key that nothing honours is an error, because to measure it would be worth nothing.
func load(ctx context.Context, path string) error {
	if path == "" {
		return fmt.Errorf("configuration: none given; use -config FILE")
	}
	accessor := viper.NewAccessor(config.Options{SearchPaths: []string{path}, StrictMode: true})
	if err := accessor.UpdateConfig(ctx); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "flyteperf-propeller:", strings.Join(strings.Fields(err.Error()), " "))
	os.Exit(1)
}
