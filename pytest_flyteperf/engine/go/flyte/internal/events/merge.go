package events

import (
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/core"
	"github.com/flyteorg/flyte/flyteidl/gen/pb-go/flyteidl/event"
)

// mergeLogs puts the newest links first and keeps those old ones that no new one replaces by its address or its name.
func mergeLogs(existing, latest []*core.TaskLog) []*core.TaskLog {
	merged := slices.Clone(latest)
	for _, old := range existing {
		replaced := slices.ContainsFunc(latest, func(link *core.TaskLog) bool {
			return link.GetUri() == old.GetUri() || link.GetName() != "" && link.GetName() == old.GetName()
		})
		if !replaced {
			merged = append(merged, old)
		}
	}
	return merged
}

// visibleLogs drops links that are not for this phase. Queued and initializing count as the same.
func visibleLogs(links []*core.TaskLog, phase core.TaskExecution_Phase) []*core.TaskLog {
	pending := phase == core.TaskExecution_QUEUED || phase == core.TaskExecution_INITIALIZING
	return slices.DeleteFunc(slices.Clone(links), func(link *core.TaskLog) bool {
		return TaskEnded(phase) && link.GetHideOnceFinished() || pending && !link.GetShowWhilePending()
	})
}

// mergeCustom is a JSON merge patch of latest onto existing: objects are merged, null removes, all else replaces.
func mergeCustom(existing, latest *structpb.Struct) (*structpb.Struct, error) {
	if existing == nil {
		return latest, nil
	}
	if latest == nil {
		return existing, nil
	}
	return structpb.NewStruct(patch(existing.AsMap(), latest.AsMap()))
}

func patch(base, over map[string]any) map[string]any {
	for key, value := range over {
		nested, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(base, key)
		case isObject:
			inner, _ := base[key].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			base[key] = patch(inner, nested)
		default:
			base[key] = value
		}
	}
	return base
}

func mergeMetadata(existing, latest *event.TaskExecutionMetadata) *event.TaskExecutionMetadata {
	if existing == nil {
		return latest
	}
	if latest == nil {
		return existing
	}
	if latest.GetGeneratedName() != "" {
		existing.GeneratedName = latest.GetGeneratedName()
	}
	for _, resource := range latest.GetExternalResources() {
		existing.ExternalResources = mergeResource(existing.GetExternalResources(), resource)
	}
	existing.ResourcePoolInfo = latest.GetResourcePoolInfo()
	if latest.GetPluginIdentifier() != "" {
		existing.PluginIdentifier = latest.GetPluginIdentifier()
	}
	if latest.GetInstanceClass() != event.TaskExecutionMetadata_DEFAULT {
		existing.InstanceClass = latest.GetInstanceClass()
	}
	return existing
}

// mergeResource updates the resource of the same index and attempt, or inserts it in that order: attempts add up.
func mergeResource(existing []*event.ExternalResourceInfo, latest *event.ExternalResourceInfo) []*event.ExternalResourceInfo {
	at, known := slices.BinarySearchFunc(existing, latest, byIndex)
	if !known {
		return slices.Insert(existing, at, latest)
	}
	resource := existing[at]
	if latest.GetExternalId() != "" {
		resource.ExternalId = latest.GetExternalId()
	}
	resource.Phase = latest.GetPhase()
	if latest.GetCacheStatus() != core.CatalogCacheStatus_CACHE_DISABLED {
		resource.CacheStatus = latest.GetCacheStatus()
	}
	resource.Logs = mergeLogs(resource.GetLogs(), latest.GetLogs())
	if latest.GetCustomInfo() != nil {
		resource.CustomInfo = latest.GetCustomInfo()
	}
	return existing
}
