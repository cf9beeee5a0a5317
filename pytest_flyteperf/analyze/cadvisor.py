"""What containers used on nodes with cAdvisor, from two looks at each node's page.

cAdvisor looks at a container every ten seconds or so and says when it did: where both looks show
the same sample nothing is known of what lies between. The network belongs to a pod's sandbox, which
has no container's name; rows without one hold the pod's sums of all else, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_flyteperf.model import ComponentUse

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND = 1_000_000_000
CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
READ = "container_fs_reads_bytes_total"
WRITTEN = "container_fs_writes_bytes_total"
RECEIVED = "container_network_receive_bytes_total"
SENT = "container_network_transmit_bytes_total"
DESCRIPTORS = "container_file_descriptors"
NETWORK = frozenset({RECEIVED, SENT})
SANDBOX = frozenset({"", "POD"})
"""How the sandbox of a pod is called where a container's name stands."""
LOOPBACK = "lo"

_LINE = re.compile(rb"(\w+)\{(.*)\} ([\d.e+-]+)(?: (\d+))?\s*$")
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')


class _Sample(NamedTuple):
    value: float
    stamp_ms: int


_Page = dict[tuple[str, str], dict[str, _Sample]]
"""By pod (with its namespace) and container: samples by metric; network under container ''."""


def container_uses(before: Iterable[bytes], after: Iterable[bytes]) -> tuple[ComponentUse, ...]:
    """Use of each container that both looks at a node show, as `namespace/pod/container`.

    Resident memory is what Kubernetes counts: the working set.
    """
    first, last = _read(before), _read(after)
    found = []
    for (pod, container), samples in sorted(last.items()):
        earlier = first.get((pod, container))
        if not container or earlier is None:
            continue
        cpu = _since(CPU, earlier, samples)
        memory = samples.get(MEMORY)
        if cpu is None or memory is None:
            continue
        pods = (first.get((pod, ""), {}), last.get((pod, ""), {}))
        read, written = (_since(key, earlier, samples) for key in (READ, WRITTEN))
        received, sent = (_since(key, *pods) for key in (RECEIVED, SENT))
        descriptors = samples.get(DESCRIPTORS)
        found.append(
            ComponentUse(
                component=f"{pod}/{container}",
                cpu_ns=round(cpu * SECOND),
                resident_bytes=round(memory.value),
                read_bytes=_whole(read),
                written_bytes=_whole(written),
                received_bytes=_whole(received),
                sent_bytes=_whole(sent),
                descriptors=None if descriptors is None else round(descriptors.value),
            )
        )
    return tuple(found)


def _since(metric: str, before: dict[str, _Sample], after: dict[str, _Sample]) -> float | None:
    """A counter's difference; None if one is missing, it began anew or nobody looked again."""
    if metric not in before or metric not in after:
        return None
    first, last = before[metric], after[metric]
    if last.value < first.value or last.stamp_ms <= first.stamp_ms:
        return None
    return last.value - first.value


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _read(lines: Iterable[bytes]) -> _Page:
    page: _Page = {}
    for line in lines:
        parsed = _LINE.match(line)
        if parsed is None:
            continue
        metric = parsed[1].decode()
        labels = {key.decode(): value.decode() for key, value in _LABEL.findall(parsed[2])}
        pod, container = labels.get("pod", ""), labels.get("container", "")
        network = metric in NETWORK
        if not pod or (container in SANDBOX) is not network or labels.get("interface") == LOOPBACK:
            continue
        key = (f"{labels.get('namespace', '')}/{pod}", "" if network else container)
        samples = page.setdefault(key, {})
        value, stamp = float(parsed[3]), int(parsed[4] or 0)
        known = samples.get(metric, _Sample(0.0, 0))
        samples[metric] = _Sample(known.value + value, max(known.stamp_ms, stamp))
    return page
