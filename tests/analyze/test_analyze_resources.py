"""What components, pods and machine used."""

import msgspec

from pytest_flyteperf.analyze.documents import (
    MachineUse,
    MemoryUse,
    NetworkUse,
    PodRecord,
    ProcessUse,
    RecordingDocument,
)
from pytest_flyteperf.analyze.pods import fold_pods
from pytest_flyteperf.analyze.resources import (
    SERVERS,
    canaries,
    component_uses,
    loopback_bytes,
    pods_use,
)

OLD = ProcessUse(user_ticks=1, system_ticks=1, read_bytes=10, written_bytes=20, descriptors=5)
NEW = ProcessUse(
    user_ticks=3, system_ticks=2, resident_bytes=7, read_bytes=11, written_bytes=25, descriptors=6
)


def about(before, after, **more):
    return RecordingDocument(machine_before=before, machine_after=after, **more)


def test_components_have_differences_and_what_they_hold_at_the_end():
    (use,) = component_uses(
        about(
            MachineUse(processes={"propeller": OLD}),
            MachineUse(processes={"propeller": NEW}),
            memory={"propeller": MemoryUse(samples=2, mean_bytes=6, peak_bytes=9)},
        )
    )

    assert use.cpu_ns == 30_000_000
    assert (use.read_bytes, use.written_bytes, use.descriptors) == (1, 5, 6)
    assert (use.resident_bytes, use.mean_bytes, use.peak_bytes) == (7, 6, 9)
    assert (use.received_bytes, use.sent_bytes) == (None, None)


def test_what_was_not_recorded_is_unknown():
    (use,) = component_uses(
        about(
            MachineUse(processes={"propeller": ProcessUse()}),
            MachineUse(processes={"propeller": NEW}),
        )
    )

    assert (use.mean_bytes, use.read_bytes, use.written_bytes) == (None, None, None)


def test_a_process_that_was_replaced_has_no_use():
    machines = [MachineUse(processes={"propeller": use}) for use in (NEW, OLD)]

    assert component_uses(about(*machines)) == ()


def test_what_serves_flyte_is_a_canary_where_all_of_it_is_seen():
    def sung(names):
        return canaries(
            about(
                MachineUse(processes=dict.fromkeys(names, OLD)),
                MachineUse(processes=dict.fromkeys(names, NEW)),
            )
        )

    assert sung([*SERVERS, "propeller", "kubelet"])["servers_cpu_ns"] == len(SERVERS) * 30_000_000
    assert "servers_cpu_ns" not in sung(SERVERS[1:])


def test_what_the_hypervisor_withheld_is_a_share_of_all_ticks():
    looks = [MachineUse(cpu_ticks={"user": n, "idle": n, "steal": 2 * n}) for n in (0, 10)]

    assert canaries(about(*looks))["steal_ppm"] == 500_000


def test_steal_that_nobody_counted_is_unknown():
    looks = [MachineUse(cpu_ticks={"user": n, "idle": n}) for n in (0, 10)]

    assert "steal_ppm" not in canaries(about(*looks))


def test_loopback_counts_each_byte_once():
    looks = [MachineUse(network={"lo": NetworkUse(n, n)}) for n in (5, 9)]

    assert loopback_bytes(about(*looks)) == 4
    assert loopback_bytes(about(MachineUse(), looks[1])) is None
    assert loopback_bytes(RecordingDocument()) is None


def event(name, use, execution="e"):
    annotations = {} if use is None else {"flyteperf.dev/use": use}
    metadata = {
        "name": name,
        "uid": name,
        "labels": {"execution-id": execution},
        "annotations": annotations,
    }
    document = {"received": 1.0, "event": {"type": "MODIFIED", "object": {"metadata": metadata}}}
    return msgspec.convert(document, PodRecord)


def test_pods_are_added_up_and_the_largest_counts_for_memory():
    use = '{"cpu_ns":3,"max_resident_bytes":%d,"read_bytes":1,"written_bytes":2}'
    events = [
        event("a", use % 10),
        event("a", use % 10),
        event("b", use % 30),
        event("silent", None),
        event("odd", "nonsense"),
        event("other", use % 99, "other"),
    ]

    found = pods_use(fold_pods(events, frozenset({"e"})))
    assert (found.pods, found.cpu_ns, found.max_resident_bytes) == (2, 6, 30)
    assert (found.read_bytes, found.written_bytes) == (2, 4)


def test_pods_that_tell_nothing_leave_it_unknown():
    assert pods_use(fold_pods([event("a", None)], frozenset({"e"}))) is None
