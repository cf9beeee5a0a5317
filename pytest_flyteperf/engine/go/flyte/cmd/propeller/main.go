// Program flyteperf-propeller is FlytePropeller: its own command, unchanged, with the plugins that
// the embedded engine can run.
//
// FlytePropeller's own loader also imports the Spark plugin, whose operator's module cannot be had;
// hence the plugins are named here one by one. Connectors need no import: FlytePropeller registers
// them as its configuration says.
package main

import (
	"github.com/flyteorg/flyte/flytepropeller/cmd/controller/cmd"

	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/array/k8s"
	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/k8s/pod"
	_ "github.com/flyteorg/flyte/flyteplugins/go/tasks/plugins/testing"
)

func main() {
	cmd.Execute()
}
