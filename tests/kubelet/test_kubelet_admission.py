from __future__ import annotations

import pytest
from fake_kubernetes import shell
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.engine.kubelet.admission import Admission, Capacity
from pytest_flyteperf.engine.kubelet.pods import Container, Metadata, Pod, Resources, Spec
from pytest_flyteperf.engine.kubelet.quantity import parse_quantity

MIB = 1 << 20


def pod(uid, memory_mib=1):
    resources = Resources(requests={"memory": f"{memory_mib}Mi"})
    return Pod(Metadata(uid=uid), Spec((Container("c", resources=resources),)))


def requesting(**requests):
    return {"resources": {"requests": requests}}


def uids(pods):
    return [pod.uid for pod in pods]


def test_pods_are_admitted_in_order_while_slots_last():
    admission = Admission(Capacity(cpus=2, memory_bytes=MIB * 100, slots=2))
    for uid in "abc":
        admission.add(pod(uid))

    assert uids(admission.admit()) == ["a", "b"]
    admission.remove("a")
    assert uids(admission.admit()) == ["c"]


def test_a_large_pod_is_not_passed_by():
    admission = Admission(Capacity(cpus=2, memory_bytes=MIB * 10, slots=9))
    for uid, size in (("a", 6), ("b", 6), ("c", 1)):
        admission.add(pod(uid, size))

    assert uids(admission.admit()) == ["a"]
    admission.remove("a")
    assert uids(admission.admit()) == ["b", "c"]


def test_a_pod_that_is_gone_leaves_the_queue():
    admission = Admission(Capacity(cpus=2, memory_bytes=MIB * 10, slots=1))
    for uid in "abc":
        admission.add(pod(uid))
    assert uids(admission.admit()) == ["a"]

    admission.remove("b")
    admission.remove("a")

    assert uids(admission.admit()) == ["c"]


@given(st.lists(st.integers(1, 12), max_size=30), st.integers(1, 5), st.lists(st.integers(0, 30)))
def test_limits_hold_and_nobody_is_lost(sizes, slots, ends):
    """
    Whatever ends when: never more than slots and memory, creation order, and all run in the end.
    """
    admission = Admission(Capacity(cpus=1, memory_bytes=MIB * 12, slots=slots))
    pods = [pod(str(place), size) for place, size in enumerate(sizes)]
    for one in pods:
        admission.add(one)
    running, order = [], []
    while True:
        fresh = uids(admission.admit())
        running += fresh
        order += fresh
        assert len(running) <= slots
        assert sum(sizes[int(uid)] for uid in running) <= 12
        if not running:
            break
        admission.remove(running.pop(ends.pop() % len(running) if ends else 0))

    assert uids(pods) == order


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ({"memory": "101Mi"}, "0/1 nodes are available: 1 Insufficient memory."),
        ({"cpu": "2001m"}, "0/1 nodes are available: 1 Insufficient cpu."),
        ({"nvidia.com/gpu": "1"}, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
        (
            {"cpu": "3", "memory": "1Ti"},
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
        ),
        ({"cpu": "2", "memory": "100Mi", "ephemeral-storage": "1Pi"}, None),
        (None, None),
    ],
)
def test_what_is_larger_than_the_machine_never_fits(requests, message):
    admission = Admission(Capacity(cpus=2, memory_bytes=MIB * 100, slots=2))
    container = Container("c", resources=Resources(requests=requests))

    assert message == admission.never_fits(Pod(Metadata(), Spec((container,))))


def test_requests_are_the_sum_of_containers_or_the_largest_init_container():
    def container(size):
        return Container("c", resources=Resources(requests={"memory": str(size)}))

    def total(main, init):
        spec = Spec(tuple(map(container, main)), tuple(map(container, init)))
        return Pod(Metadata(), spec).requests()["memory"]

    assert total([2, 3], [4, 1]) == 5000
    assert total([2, 3], [7, 1]) == 7000


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("0", 0),
        ("10m", 10),
        ("1", 1000),
        ("0.5", 500),
        ("1500u", 2),
        ("1k", 10**6),
        ("1Ki", 1024_000),
        ("1e3", 10**6),
        ("1E", 10**21),
        ("1.5Gi", 1536 * MIB * 1000),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, thousandths):
    assert thousandths == parse_quantity(text)


def test_no_more_pods_run_than_there_are_slots(api, start_kubelet, tmp_path):
    start_kubelet(slots=3)
    wait = shell(f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done")
    names = [f"p{place}" for place in range(8)]
    for name in names:
        api.create(name, wait)

    api.wait(lambda api: sum(api.phase(name) == "Running" for name in names) == 3)
    assert [name for name in names if "nodeName" in api.pod(name)["spec"]] == ["p0", "p1", "p2"]
    assert "conditions" not in api.pod("p3")["status"]
    (tmp_path / "go").touch()
    api.wait(lambda api: all(api.phase(name) == "Succeeded" for name in names))

    def running(events):
        now, most = set(), 0
        for _, _, pod in events:
            name, phase = pod["metadata"]["name"], pod["status"]["phase"]
            now = now | {name} if phase == "Running" else now - {name}
            most = max(most, len(now))
        return most

    # The next may be told Running before the last is told to have ended: two writers.
    assert running(api.events) <= 3 + 3
    bound = [pod["metadata"]["name"] for _, _, pod in api.events if len(_bound(pod)) == 1]
    assert set(bound) == set(names)


def _bound(pod):
    return [c for c in pod["status"].get("conditions", ()) if c["type"] == "PodScheduled"]


def test_pods_wait_for_memory(api, start_kubelet, tmp_path):
    start_kubelet(memory_bytes=10 * MIB)
    wait = shell(f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done")
    api.create("first", wait, container=requesting(memory="6Mi"))
    api.create("second", ["true"], container=requesting(memory="6Mi"))

    api.wait_phase("first", "Running")
    assert api.phase("second") == "Pending"
    (tmp_path / "go").touch()

    api.wait_phase("second", "Succeeded")
    order = [(pod["metadata"]["name"], pod["status"]["phase"]) for _, _, pod in api.events]
    assert order.index(("second", "Running")) > order.index(("first", "Running"))


def test_a_pod_larger_than_the_machine_is_unschedulable_and_holds_nobody_up(api, start_kubelet):
    start_kubelet(memory_bytes=10 * MIB)
    api.create("large", ["true"], container=requesting(memory="11Mi"))
    api.create("small", ["true"])

    api.wait_phase("small", "Succeeded")
    api.wait(lambda api: "conditions" in api.pods["ns", "large"]["status"])
    (condition,) = api.pod("large")["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert condition["reason"] == "Unschedulable"
    assert condition["message"] == "0/1 nodes are available: 1 Insufficient memory."
    assert len(api.history("large")) == 2


def test_pods_found_at_the_start_run_in_the_order_of_their_creation(api, start_kubelet, tmp_path):
    names = ["c", "a", "b", "z", "y"]
    for name in names:
        api.create(name, shell(f"echo {name} >> {tmp_path}/order"))
    start_kubelet(slots=1)

    api.wait(lambda api: all(api.phase(name) == "Succeeded" for name in names))
    assert (tmp_path / "order").read_text().split() == names
