// Package settings is the stand-in's configuration: its own section, and of FlyteAdmin's sections what it honours.
package settings

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/flyteorg/flyte/flytestdlib/config"
)

// Standin is the section of what only the stand-in has.
type Standin struct {
	// Listen is the address of the one gRPC port, MetricsListen that of /metrics.
	Listen        string `json:"listen"`
	MetricsListen string `json:"metricsListen"`
	// Database is the file that all state is in.
	Database string `json:"database"`
	// Kubeconfig says where and as whom workflows are created.
	Kubeconfig string `json:"kubeconfig"`
	// EventDelay is slept in every event call, to have the latency of another admin.
	EventDelay config.Duration `json:"eventDelay"`
}

// FlyteAdmin is what is honoured of the section `flyteadmin`.
type FlyteAdmin struct {
	MaxParallelism              int32    `json:"maxParallelism"`
	UseOffloadedWorkflowClosure bool     `json:"useOffloadedWorkflowClosure"`
	UseOffloadedInputs          bool     `json:"useOffloadedInputs"`
	EventVersion                int      `json:"eventVersion"`
	MetadataStoragePrefix       []string `json:"metadataStoragePrefix"`
}

// TaskResources are the platform's defaults and limits for a task's container.
type TaskResources struct {
	Defaults ResourceSet `json:"defaults"`
	Limits   ResourceSet `json:"limits"`
}

// ResourceSet holds quantities; zero is unset.
type ResourceSet struct {
	CPU              resource.Quantity `json:"cpu"`
	GPU              resource.Quantity `json:"gpu"`
	Memory           resource.Quantity `json:"memory"`
	EphemeralStorage resource.Quantity `json:"ephemeralStorage"`
}

// NamespaceMapping names the Kubernetes namespace of a project and domain.
type NamespaceMapping struct {
	Template string `json:"template"`
}

// Settings is everything, read once.
type Settings struct {
	Standin       Standin          `json:"standin"`
	Admin         FlyteAdmin       `json:"flyteadmin"`
	TaskResources TaskResources    `json:"task_resources"`
	Namespace     NamespaceMapping `json:"namespace_mapping"`
}

// defaults are FlyteAdmin's own (flyteadmin/pkg/runtime at v1.16.8).
func defaults() Settings {
	return Settings{
		Standin: Standin{Listen: "127.0.0.1:8089", MetricsListen: "127.0.0.1:10254"},
		Admin: FlyteAdmin{
			MaxParallelism:        25,
			EventVersion:          2,
			MetadataStoragePrefix: []string{"metadata", "admin"},
		},
		TaskResources: TaskResources{
			Defaults: ResourceSet{CPU: resource.MustParse("2"), Memory: resource.MustParse("200Mi")},
			Limits:   ResourceSet{CPU: resource.MustParse("2"), Memory: resource.MustParse("1Gi"), GPU: resource.MustParse("1")},
		},
		Namespace: NamespaceMapping{Template: "{{ project }}-{{ domain }}"},
	}
}

// Registered, a section is known to flytestdlib's strict mode, which finds misspelt keys. Its values are not read
// from there: flytestdlib decodes a file over what an earlier one left.
func init() {
	config.MustRegisterSection("standin", &Standin{})
	config.MustRegisterSection("flyteadmin", &FlyteAdmin{})
	config.MustRegisterSection("task_resources", &TaskResources{})
	config.MustRegisterSection("namespace_mapping", &NamespaceMapping{})
}
