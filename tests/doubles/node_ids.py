"""Which node is whose child, from node ids alone, by Flyte's rule for making them.

A node's unique id is `<parent's>-<parent's attempt>-<id in its template>`, hashed if that is
longer than 20 characters (flytepropeller/pkg/controller/nodes/common/utils.go,
flyteplugins/go/tasks/pluginmachinery/encoding/encoder.go). Recordings hold no parent ids.
"""

import base64

LIMIT = 20
OFFSET, PRIME = 0x811C9DC5, 0x01000193


def unique_id(parent, attempt, node):
    name = "-".join((parent, str(attempt), node))
    if len(name) <= LIMIT:
        return name
    value = OFFSET
    for byte in name.encode():
        value = (value ^ byte) * PRIME & 0xFFFFFFFF
    standard = base64.b32encode(value.to_bytes(4, "big")).decode().rstrip("=").lower()
    ours = "abcdefghijklmnopqrstuvwxyz123456"
    theirs = "abcdefghijklmnopqrstuvwxyz234567"
    return "f" + standard.translate(str.maketrans(theirs, ours))


def parents(rows):
    """Parent's id of each row (proto JSON of node executions), None at the top level."""
    candidates = [r["id"]["node_id"] for r in rows if r["metadata"].get("is_parent_node")]
    return [_parent(row, candidates) for row in rows]


def _parent(row, candidates):
    node = row["id"]["node_id"]
    meta = row["metadata"]
    spec = meta["spec_node_id"]
    if node == spec:
        return None
    attempt = meta.get("retry_group", "0")
    found = [p for p in candidates if unique_id(p, attempt, spec) == node]
    if len(found) != 1:
        raise ValueError(f"{node} has {len(found)} possible parents")
    return found[0]
