"""What must be equal in two executions of one workflow, whoever was FlyteAdmin.

Everything that names an execution, a version, a time or a place is left out; node ids are kept,
as Flyte derives them from the workflow alone.
"""

import gzip
import json

from tests.doubles.node_ids import parents


def facts(folder):
    """Rows of an execution and of those it started, in an order of their own."""
    execution = _read(folder, "execution.json")
    nodes = _read(folder, "node_executions.json")
    tasks = _read(folder, "task_executions.json")
    name = execution["id"]["name"]
    rows = sorted(
        (_node(node, parent) for node, parent in zip(nodes, parents(nodes), strict=True)),
        key=lambda row: row["id"],
    )
    children = {
        node["id"]["node_id"]: facts(folder / "children" / child["executionId"]["name"])
        for node in nodes
        if (child := node["closure"].get("workflow_node_metadata")) is not None
    }
    return {
        "launch_plan": execution["spec"]["launch_plan"]["name"],
        "started_by_node": execution["spec"]["metadata"]
        .get("parent_node_execution", {})
        .get("node_id"),
        "nesting": execution["spec"]["metadata"].get("nesting"),
        "phase": execution["closure"]["phase"],
        "error": _error(execution["closure"]),
        "has_outputs": "outputs" in execution["closure"],
        "nodes": rows,
        "tasks": sorted(
            (_task(task, name) for task in tasks), key=lambda row: (row["node"], row["attempt"])
        ),
        "children": children,
    }


def _node(node, parent):
    closure, meta = node["closure"], node["metadata"]
    cache = closure.get("task_node_metadata", {})
    return {
        "id": node["id"]["node_id"],
        "spec": meta["spec_node_id"],
        "parent": parent,
        "phase": closure["phase"],
        "error": _error(closure),
        "parent_attempt": meta.get("retry_group"),
        "kinds": sorted(k for k in ("is_parent_node", "is_dynamic", "is_array") if meta.get(k)),
        "cache": cache.get("cache_status"),
        "catalog": cache.get("catalog_key", {}).get("dataset_id", {}).get("name"),
        "ran": "duration" in closure,
        "has_outputs": "output_uri" in closure,
        "starts_execution": "workflow_node_metadata" in closure,
        "has_job_spec": "dynamic_job_spec_uri" in closure,
    }


def _task(task, execution):
    closure = task["closure"]
    return {
        "node": task["id"]["node_execution_id"]["node_id"],
        "task": task["id"]["task_id"]["name"],
        "attempt": task["id"].get("retry_attempt", 0),
        "phase": closure["phase"],
        "error": _error(closure),
        "type": closure.get("task_type"),
        "pod": closure.get("metadata", {}).get("generated_name", "").replace(execution, "E"),
        "plugin": closure.get("metadata", {}).get("plugin_identifier"),
        "event_version": closure.get("event_version"),
        "subtasks": sorted(
            (
                r.get("index", 0),
                r.get("retry_attempt", 0),
                r["phase"],
                r["external_id"].replace(execution, "E"),
                r.get("cache_status"),
            )
            for r in closure.get("metadata", {}).get("external_resources", [])
        ),
    }


def _error(closure):
    error = closure.get("error")
    if error is None:
        return None
    # Paths in a traceback are those of the machine; its last line is the error. Lists cut it off.
    message = error["message"]
    whole = "\nMessage:" in message
    said = message.strip().rpartition("\n")[2].strip() if whole else "cut short"
    return (error["code"], error.get("kind"), said)


def _read(folder, name):
    packed = folder / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    return json.loads(data)
