package crd

import (
	"context"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteplugins/go/tasks/pluginmachinery/flytek8s"
	"github.com/flyteorg/flyte/flytestdlib/logger"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/settings"
)

// adjustResources gives the container of a task the platform's defaults and keeps it within the platform's limits.
// CPU and memory are always set; the others only where the task or the platform's defaults name them.
func adjustResources(ctx context.Context, task *core.CompiledTask, platform settings.TaskResources) {
	container := task.GetTemplate().GetContainer()
	if container == nil {
		return
	}
	requests := quantities(ctx, task, container.GetResources().GetRequests())
	limits := quantities(ctx, task, container.GetResources().GetLimits())
	adjusted := &core.Resources{}
	for _, kind := range []struct {
		name                              core.Resources_ResourceName
		request, limit, fallback, maximum resource.Quantity
		always                            bool
	}{
		{core.Resources_CPU, requests.CPU, limits.CPU, platform.Defaults.CPU, platform.Limits.CPU, true},
		{core.Resources_MEMORY, requests.Memory, limits.Memory, platform.Defaults.Memory, platform.Limits.Memory, true},
		{core.Resources_EPHEMERAL_STORAGE, requests.EphemeralStorage, limits.EphemeralStorage,
			platform.Defaults.EphemeralStorage, platform.Limits.EphemeralStorage, false},
		{core.Resources_GPU, requests.GPU, limits.GPU, platform.Defaults.GPU, platform.Limits.GPU, false},
	} {
		if !kind.always && kind.request.IsZero() && kind.limit.IsZero() && kind.fallback.IsZero() {
			continue
		}
		pair := flytek8s.AdjustOrDefaultResource(kind.request, kind.limit, kind.fallback, kind.maximum)
		adjusted.Requests = append(adjusted.Requests, &core.Resources_ResourceEntry{Name: kind.name, Value: pair.Request.String()})
		adjusted.Limits = append(adjusted.Limits, &core.Resources_ResourceEntry{Name: kind.name, Value: pair.Limit.String()})
	}
	container.Resources = adjusted
}

func quantities(ctx context.Context, task *core.CompiledTask, entries []*core.Resources_ResourceEntry) settings.ResourceSet {
	var set settings.ResourceSet
	fields := map[core.Resources_ResourceName]*resource.Quantity{
		core.Resources_CPU:               &set.CPU,
		core.Resources_MEMORY:            &set.Memory,
		core.Resources_EPHEMERAL_STORAGE: &set.EphemeralStorage,
		core.Resources_GPU:               &set.GPU,
	}
	for _, entry := range entries {
		field, known := fields[entry.GetName()]
		if !known {
			continue
		}
		quantity, err := resource.ParseQuantity(entry.GetValue())
		if err != nil {
			logger.Infof(ctx, "task %v: %s %q: %v", task.GetTemplate().GetId(), entry.GetName(), entry.GetValue(), err)
			continue
		}
		*field = quantity
	}
	return set
}
