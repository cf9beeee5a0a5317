package crd_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler"
	"github.com/flyteorg/flyte/flytepropeller/pkg/compiler/common"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/crd"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fixture"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
)

// recorded is the object that FlyteAdmin 1.16.8 made for one execution of a workflow with one task, without what the API
// server added, and with single spaces in the keys of tasks: protobuf's text differs in them from program to program.
func recorded(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/single.json")
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func compiled(t *testing.T, object map[string]any) *core.CompiledWorkflowClosure {
	t.Helper()
	template := &core.TaskTemplate{}
	for _, task := range object["tasks"].(map[string]any) {
		text, err := json.Marshal(task)
		if err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(text, template); err != nil {
			t.Fatal(err)
		}
	}
	// flytekit sent requests alone; the limits are FlyteAdmin's.
	template.GetContainer().Resources.Limits = nil
	task, err := compiler.CompileTask(template)
	if err != nil {
		t.Fatal(err)
	}
	workflow := fixture.Workflow("wf.single", "wf.t1").GetSpec().GetTemplate()
	workflow.Nodes[0].Metadata.Name = "t1"
	workflow.Nodes[0].GetTaskNode().GetReferenceId().Version = template.GetId().GetVersion()
	closure, err := compiler.CompileWorkflow(workflow, nil, []*core.CompiledTask{task}, []common.InterfaceProvider{})
	if err != nil {
		t.Fatal(err)
	}
	return closure
}

func order(t *testing.T, object map[string]any) crd.Order {
	t.Helper()
	accepted, err := time.Parse(time.RFC3339, object["acceptedAt"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return crd.Order{
		ID: &core.WorkflowExecutionIdentifier{
			Project: "flytesnacks", Domain: "development", Name: object["metadata"].(map[string]any)["name"].(string),
		},
		Closure:    compiled(t, object),
		ClosureURI: "s3://closure",
		Inputs:     &core.LiteralMap{Literals: map[string]*core.Literal{"a": fixture.Integer(0)}},
		InputsURI:  "s3://inputs",
		AcceptedAt: accepted,
		Config: &admin.WorkflowExecutionConfig{
			MaxParallelism: 25, SecurityContext: &core.SecurityContext{RunAs: &core.Identity{}},
		},
	}
}

func platform() settings.Settings {
	return settings.Settings{
		Admin:     settings.FlyteAdmin{EventVersion: 2},
		Namespace: settings.NamespaceMapping{Template: "{{ project }}-{{ domain }}"},
		TaskResources: settings.TaskResources{
			Defaults: settings.ResourceSet{CPU: resource.MustParse("10m"), Memory: resource.MustParse("10Mi")},
			Limits:   settings.ResourceSet{CPU: resource.MustParse("4"), Memory: resource.MustParse("4Gi"), GPU: resource.MustParse("1")},
		},
	}
}

func build(t *testing.T, from crd.Order, with settings.Settings) map[string]any {
	t.Helper()
	workflow, err := crd.Build(t.Context(), from, with)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(workflow)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(regexp.MustCompile(` +`).ReplaceAll(text, []byte(" ")), &object); err != nil {
		t.Fatal(err)
	}
	delete(object["metadata"].(map[string]any), "creationTimestamp")
	object["kind"] = "FlyteWorkflow" // as the API server spells it, whatever the client sends
	return object
}

func TestObjectIsTheOneThatFlyteAdminMade(t *testing.T) {
	want := recorded(t)
	if diff := cmp.Diff(want, build(t, order(t, want), platform())); diff != "" {
		t.Errorf("(-FlyteAdmin +stand-in)\n%s", diff)
	}
}

func TestAnOrderCanBeBuiltTwice(t *testing.T) {
	from := order(t, recorded(t))
	first := build(t, from, platform())
	if diff := cmp.Diff(first, build(t, from, platform())); diff != "" {
		t.Errorf("building changed its order (-first +second)\n%s", diff)
	}
}

func TestWhatMayBeSaidOfAnExecution(t *testing.T) {
	from := order(t, recorded(t))
	from.Config.Labels = &admin.Labels{Values: map[string]string{"team": "x", "execution-id": "parent"}}
	from.Config.Annotations = &admin.Annotations{Values: map[string]string{"note": "y"}}
	from.Config.OverwriteCache = true
	from.Config.Envs = &admin.Envs{Values: []*core.KeyValuePair{{Key: "K", Value: "v"}}}
	from.Config.SecurityContext.RunAs.K8SServiceAccount = "robot"
	from.Config.RawOutputDataConfig = &admin.RawOutputDataConfig{OutputLocationPrefix: "s3://raw"}
	from.Recovery = &core.WorkflowExecutionIdentifier{Project: "flytesnacks", Domain: "development", Name: "before"}
	object := build(t, from, platform())

	for path, want := range map[string]any{
		"metadata.labels.team":                       "x",
		"metadata.labels.execution-id":               "parent",
		"metadata.labels.workflow-name":              "wf-single",
		"metadata.annotations.note":                  "y",
		"executionConfig.OverwriteCache":             true,
		"executionConfig.EnvironmentVariables.K":     "v",
		"executionConfig.RecoveryExecution.name":     "before",
		"securityContext.run_as.k8s_service_account": "robot",
		"serviceAccountName":                         "robot",
		"rawOutputDataConfig.output_location_prefix": "s3://raw",
	} {
		if got := at(object, path); got != want {
			t.Errorf("%s: want %v, got %v", path, want, got)
		}
	}
}

func TestOffloadingLeavesReferences(t *testing.T) {
	with := platform()
	with.Admin.UseOffloadedWorkflowClosure, with.Admin.UseOffloadedInputs = true, true
	object := build(t, order(t, recorded(t)), with)
	if object["workflowClosureReference"] != "s3://closure" || object["offloadedInputs"] != "s3://inputs" {
		t.Errorf("want both references, got %v and %v", object["workflowClosureReference"], object["offloadedInputs"])
	}
	if object["spec"] != nil || object["tasks"] != nil || object["inputs"] != nil {
		t.Errorf("want neither specification, tasks nor inputs, got %v", object)
	}
}

func TestContainersStayWithinThePlatform(t *testing.T) {
	entry := func(name core.Resources_ResourceName, value string) *core.Resources_ResourceEntry {
		return &core.Resources_ResourceEntry{Name: name, Value: value}
	}
	for sentence, test := range map[string]struct {
		asked *core.Resources
		want  string
	}{
		"nothing asked gets the defaults":    {nil, "CPU=10m/10m MEMORY=10Mi/10Mi"},
		"requests become limits":             {&core.Resources{Requests: []*core.Resources_ResourceEntry{entry(core.Resources_CPU, "2")}}, "CPU=2/2 MEMORY=10Mi/10Mi"},
		"too much is cut to the limit":       {&core.Resources{Requests: []*core.Resources_ResourceEntry{entry(core.Resources_CPU, "9")}}, "CPU=4/4 MEMORY=10Mi/10Mi"},
		"a GPU is there only if it is asked": {&core.Resources{Limits: []*core.Resources_ResourceEntry{entry(core.Resources_GPU, "1")}}, "CPU=10m/10m MEMORY=10Mi/10Mi GPU=1/1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			from := order(t, recorded(t))
			from.Closure.GetTasks()[0].GetTemplate().GetContainer().Resources = test.asked
			workflow, err := crd.Build(t.Context(), from, platform())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, task := range workflow.Tasks {
				resources := task.GetContainer().GetResources()
				for i, request := range resources.GetRequests() {
					got = append(got, request.GetName().String()+"="+request.GetValue()+"/"+resources.GetLimits()[i].GetValue())
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("want %s, got %s", test.want, strings.Join(got, " "))
			}
		})
	}
}

func at(object map[string]any, path string) any {
	var value any = object
	for part := range strings.SplitSeq(path, ".") {
		inner, _ := value.(map[string]any)
		value = inner[part]
	}
	return value
}
