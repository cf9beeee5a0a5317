package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
)

const own = "standin: {database: /db, kubeconfig: /kube}\n"

func load(t *testing.T, text string) (settings.Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings.Load(t.Context(), path)
}

func TestDefaultsAreFlyteAdmins(t *testing.T) {
	got, err := load(t, own)
	if err != nil {
		t.Fatal(err)
	}
	if got.Admin.MaxParallelism != 25 || got.Admin.EventVersion != 2 || got.Admin.UseOffloadedInputs {
		t.Errorf("got %+v", got.Admin)
	}
	if cpu := got.TaskResources.Defaults.CPU; cpu.String() != "2" {
		t.Errorf("got %s", cpu.String())
	}
	if namespace := got.NamespaceOf("p", "d"); namespace != "p-d" {
		t.Errorf("got %s", namespace)
	}
}

func TestWhatIsHonouredIsRead(t *testing.T) {
	got, err := load(t, `
standin: {database: /db, kubeconfig: /kube, eventDelay: 2200us}
flyteadmin: {maxParallelism: 7, useOffloadedWorkflowClosure: true}
task_resources: {limits: {cpu: 4}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Admin.MaxParallelism != 7 || !got.Admin.UseOffloadedWorkflowClosure || got.Standin.EventDelay.Duration != 2200*time.Microsecond {
		t.Errorf("got %+v", got)
	}
	if limits := got.TaskResources.Limits; limits.CPU.String() != "4" || limits.GPU.String() != "1" {
		t.Errorf("a limit that is not given keeps its default: got %+v", limits)
	}
}

func TestRefusalsNameTheKey(t *testing.T) {
	for sentence, test := range map[string]struct{ text, want string }{
		"a section of FlyteAdmin that is not honoured": {own + "scheduler: {}", "scheduler: the stand-in for FlyteAdmin does not honour"},
		"a key of FlyteAdmin that is not honoured":     {own + "flyteadmin: {consoleUrl: x}", "flyteadmin.consoleUrl: the stand-in for FlyteAdmin does not honour"},
		"a misspelt key":                       {"standin: {database: /db, kubeconfig: /kube, eventdelays: 1s}", "eventdelays"},
		"a value of another type":              {own + "flyteadmin: {maxParallelism: many}", "maxParallelism"},
		"a negative value":                     {own + "flyteadmin: {maxParallelism: -1}", "flyteadmin.maxParallelism: -1"},
		"an event version that does not exist": {own + "flyteadmin: {eventVersion: 3}", "flyteadmin.eventVersion: 3"},
		"no database":                          {"standin: {database: '', kubeconfig: /kube}", "standin.database: missing"},
		"no cluster":                           {"standin: {database: /db, kubeconfig: ''}", "standin.kubeconfig: missing"},
		"no YAML":                              {"standin: [", "not YAML"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := load(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one line with %q, got %v", test.want, err)
			}
		})
	}
}
