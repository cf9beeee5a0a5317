package executions

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/admin"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/crd"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/fault"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/records"
	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

const randomNameLength = 19

// target is what is launched: a workflow, by a launch plan or for a single task.
type target struct {
	workflow store.Record[records.Workflow]
	// plan is the launch plan's specification, nil for a single task.
	plan     *admin.LaunchPlanSpec
	expected *core.ParameterMap
	fixed    *core.LiteralMap
}

// launch keeps FlyteAdmin's order: inputs are checked, blobs written, the object created in the cluster, and only then the row
// inserted. FlytePropeller may be faster than the row: its first event then waits for it.
func (s *Service) launch(ctx context.Context, request *admin.ExecutionCreateRequest, accepted time.Time) (*admin.ExecutionCreateResponse, error) {
	if err := checkRequest(request); err != nil {
		return nil, err
	}
	if err := s.registry.Place(ctx, request.GetProject(), request.GetDomain()); err != nil {
		return nil, err
	}
	aim, err := s.target(ctx, request.GetSpec().GetLaunchPlan())
	if err != nil {
		return nil, err
	}
	inputs, err := executionInputs(request.GetInputs(), aim.fixed, aim.expected)
	if err != nil {
		return nil, err
	}
	name := request.GetName()
	if name == "" {
		name = "a" + rand.String(randomNameLength)
	}
	id := &core.WorkflowExecutionIdentifier{Project: request.GetProject(), Domain: request.GetDomain(), Name: name}
	order := crd.Order{ID: id, ClosureURI: aim.workflow.Row.ClosureURI, Inputs: inputs, AcceptedAt: accepted}
	userInputsURI, err := s.move(ctx, &order, aim, request.GetInputs())
	if err != nil {
		return nil, fault.Internal("execution "+name, err)
	}
	spec := request.GetSpec()
	if err := s.inherit(spec); err != nil {
		return nil, err
	}
	order.Config = executionConfig(spec, aim.plan, s.settings.Admin.MaxParallelism)
	if spec.GetMetadata().GetMode() == admin.ExecutionMetadata_RECOVERED {
		order.Recovery = spec.GetMetadata().GetReferenceExecution()
	}
	if err := s.checkConcurrency(spec.GetLaunchPlan(), aim.plan.GetConcurrencyPolicy()); err != nil {
		return nil, err
	}
	row := s.row(order, aim, spec, userInputsURI)
	defer s.launches.Begin(records.ExecutionKey(id))()
	if err := s.create(ctx, order); err != nil {
		if aim.plan == nil {
			return nil, err
		}
		fail(row.Closure.Value, err)
	}
	err = s.store.Update(func(tx *store.Tx) error { return records.Executions.Insert(tx, records.ExecutionKey(id), row) })
	if errors.Is(err, store.ErrExists) {
		return nil, fault.Exists("value with matching already exists (execution %v)", id)
	}
	if err != nil {
		return nil, fault.Internal("execution "+name, err)
	}
	return &admin.ExecutionCreateResponse{Id: id}, nil
}

func (s *Service) target(ctx context.Context, id *core.Identifier) (target, error) {
	if id.GetResourceType() == core.ResourceType_TASK {
		workflow, err := s.registry.WorkflowForTask(ctx, id)
		return target{workflow: workflow, expected: required(workflow.Row.Interface.Value.GetInputs())}, err
	}
	plan, err := s.registry.LaunchPlan(ctx, id)
	if err != nil {
		return target{}, err
	}
	workflow, err := s.registry.Workflow(ctx, plan.GetSpec().GetWorkflowId())
	return target{
		workflow: workflow, plan: plan.GetSpec(),
		expected: plan.GetClosure().GetExpectedInputs(), fixed: plan.GetSpec().GetFixedInputs(),
	}, err
}

func required(inputs *core.VariableMap) *core.ParameterMap {
	parameters := map[string]*core.Parameter{}
	for name, variable := range inputs.GetVariables() {
		parameters[name] = &core.Parameter{Var: variable, Behavior: &core.Parameter_Required{Required: true}}
	}
	return &core.ParameterMap{Parameters: parameters}
}

// move reads the closure and writes both inputs at once, as FlyteAdmin does.
func (s *Service) move(ctx context.Context, order *crd.Order, aim target, given *core.LiteralMap) (userInputsURI string, err error) {
	group, ctx := errgroup.WithContext(ctx)
	path := []string{order.ID.GetProject(), order.ID.GetDomain(), order.ID.GetName()}
	group.Go(func() error {
		closure, err := s.registry.Closure(ctx, aim.workflow)
		order.Closure = closure.GetCompiledWorkflow()
		return err
	})
	group.Go(func() (err error) {
		order.InputsURI, err = s.blobs.WriteInputs(ctx, order.Inputs, path[0], path[1], path[2], "inputs")
		return err
	})
	group.Go(func() (err error) {
		userInputsURI, err = s.blobs.WriteInputs(ctx, given, path[0], path[1], path[2], "user_inputs")
		return err
	})
	return userInputsURI, group.Wait()
}

// inherit completes the metadata of an execution that a node of another one started.
func (s *Service) inherit(spec *admin.ExecutionSpec) error {
	if spec.GetMetadata() == nil {
		spec.Metadata = &admin.ExecutionMetadata{}
	}
	metadata := spec.GetMetadata()
	metadata.Principal, metadata.ArtifactIds = "", nil
	parent := metadata.GetParentNodeExecution()
	if parent == nil {
		return nil
	}
	return s.store.View(func(tx *store.Tx) error {
		if !records.NodeExecutions.Has(tx, records.NodeKey(parent)) {
			return fault.NotFound("node execution", parent)
		}
		source, err := Find(tx, parent.GetExecutionId())
		if err != nil {
			return err
		}
		metadata.Principal = source.Row.Spec.Value.GetMetadata().GetPrincipal()
		metadata.Nesting = source.Row.Spec.Value.GetMetadata().GetNesting() + 1
		return nil
	})
}

func (s *Service) row(order crd.Order, aim target, spec *admin.ExecutionSpec, userInputsURI string) records.Execution {
	created := timestamppb.New(s.now())
	spec = proto.Clone(spec).(*admin.ExecutionSpec)
	spec.Inputs = nil // old clients send inputs here; they lie in the blob store
	spec.Metadata.SystemMetadata = &admin.SystemMetadata{
		Namespace: s.settings.NamespaceOf(order.ID.GetProject(), order.ID.GetDomain()),
	}
	spec.SecurityContext = order.Config.GetSecurityContext()
	if aim.plan != nil {
		spec.MaxParallelism = order.Config.GetMaxParallelism()
	}
	return records.Execution{
		ID:   store.Of(order.ID),
		Spec: store.Of(spec),
		Closure: store.Of(&admin.ExecutionClosure{
			CreatedAt:     created,
			UpdatedAt:     created,
			Notifications: notifications(spec, aim.plan),
			WorkflowId:    aim.workflow.Row.ID.Value,
			StateChangeDetails: &admin.ExecutionStateChangeDetails{
				State: admin.ExecutionState_EXECUTION_ACTIVE, Principal: spec.GetMetadata().GetPrincipal(), OccurredAt: created,
			},
		}),
		InputsURI:     order.InputsURI,
		UserInputsURI: userInputsURI,
		LaunchEntity:  strings.ToLower(spec.GetLaunchPlan().GetResourceType().String()),
	}
}

func notifications(spec *admin.ExecutionSpec, plan *admin.LaunchPlanSpec) []*admin.Notification {
	switch {
	case len(spec.GetNotifications().GetNotifications()) > 0:
		return spec.GetNotifications().GetNotifications()
	case spec.GetDisableAll():
		return nil
	default:
		return plan.GetEntityMetadata().GetNotifications()
	}
}

func (s *Service) create(ctx context.Context, order crd.Order) error {
	workflow, err := crd.Build(ctx, order, s.settings)
	if err != nil {
		return fault.Invalid("%v", err)
	}
	if err := s.cluster.Create(ctx, workflow); err != nil {
		return fault.Internal("failed to create workflow in propeller", err)
	}
	return nil
}

// fail records why an execution never reached the cluster: FlyteAdmin keeps its row, FAILED.
func fail(closure *admin.ExecutionClosure, err error) {
	answer := status.Convert(err)
	kind := core.ExecutionError_SYSTEM
	if answer.Code() == codes.InvalidArgument {
		kind = core.ExecutionError_USER
	}
	closure.Phase = core.WorkflowExecution_FAILED
	closure.OutputResult = &admin.ExecutionClosure_Error{
		Error: &core.ExecutionError{Code: answer.Code().String(), Message: answer.Message(), Kind: kind},
	}
}
