package settings

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flyteorg/flyte/flytestdlib/config"
	"github.com/flyteorg/flyte/flytestdlib/config/viper"
)

var (
	sections  = []string{"flyteadmin", "logger", "namespace_mapping", "otel", "standin", "storage", "task_resources"}
	adminKeys = []string{"eventVersion", "maxParallelism", "metadataStoragePrefix", "useOffloadedInputs", "useOffloadedWorkflowClosure"}
)

// Load reads the file. A section or admin key that the stand-in does not honour is refused by name, because a
// measurement of a setting that nobody obeys would be worth nothing.
func Load(ctx context.Context, path string) (Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("configuration: %w", err)
	}
	if err := checkNames(text); err != nil {
		return Settings{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	accessor := viper.NewAccessor(config.Options{SearchPaths: []string{path}, StrictMode: true})
	if err := accessor.UpdateConfig(ctx); err != nil {
		return Settings{}, fmt.Errorf("configuration %s: %s", path, oneLine(err))
	}
	settings := defaults()
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return Settings{}, fmt.Errorf("configuration %s: %s", path, oneLine(err))
	}
	if err := settings.check(); err != nil {
		return Settings{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return settings, nil
}

func checkNames(text []byte) error {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("not YAML: %s", oneLine(err))
	}
	for _, section := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains(sections, section) {
			return fmt.Errorf("%s: the stand-in for FlyteAdmin does not honour this section; it knows %s, and all else takes a full flyte binary",
				section, strings.Join(sections, ", "))
		}
	}
	admin, _ := file["flyteadmin"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(admin)) {
		if !slices.ContainsFunc(adminKeys, func(known string) bool { return strings.EqualFold(known, key) }) {
			return fmt.Errorf("flyteadmin.%s: the stand-in for FlyteAdmin does not honour this key; it knows %s, and all else takes a full flyte binary",
				key, strings.Join(adminKeys, ", "))
		}
	}
	return nil
}

func (s Settings) check() error {
	switch {
	case s.Standin.Database == "":
		return fmt.Errorf("standin.database: missing; give the file that state is kept in")
	case s.Standin.Kubeconfig == "":
		return fmt.Errorf("standin.kubeconfig: missing; give the file that names the cluster")
	case s.Standin.EventDelay.Duration < 0:
		return fmt.Errorf("standin.eventDelay: %s is negative", s.Standin.EventDelay.Duration)
	case s.Admin.EventVersion < 0 || s.Admin.EventVersion > 2:
		return fmt.Errorf("flyteadmin.eventVersion: %d is none of 0, 1, 2", s.Admin.EventVersion)
	case s.Admin.MaxParallelism < 0:
		return fmt.Errorf("flyteadmin.maxParallelism: %d is negative; 0 means no limit", s.Admin.MaxParallelism)
	}
	return nil
}

// NamespaceOf is the Kubernetes namespace of a project and domain.
func (s Settings) NamespaceOf(project, domain string) string {
	return strings.NewReplacer("{{ project }}", project, "{{ domain }}", domain).Replace(s.Namespace.Template)
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
