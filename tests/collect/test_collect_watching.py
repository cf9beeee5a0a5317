import json
import threading

import pytest

from pytest_flyteperf.collect.watching import Received, Watcher, ended
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from tests.doubles.kube import PODS, FakeKube, flyteworkflow, pod


@pytest.fixture
def kube():
    with FakeKube() as kube:
        yield kube


@pytest.fixture
def bell():
    return threading.Condition()


@pytest.fixture
def api(kube, tmp_path):
    with KubeApi.from_kubeconfig(kube.kubeconfig(tmp_path)) as api:
        yield api


def arrived(watcher, bell, count):
    with bell:
        assert bell.wait_for(lambda: watcher.position >= count, timeout=60)
    return [json.loads(e.raw) for e in watcher.since(0)]


class TestWatcher:
    def test_keeps_the_bytes_that_came_in_order(self, kube, api, bell):
        with Watcher(api, PODS, bell) as watcher:
            for number in range(3):
                kube.put(PODS, pod(f"p{number}", "e"))
            arrived(watcher, bell, 3)

            assert [line for _, line in kube.events] == [e.raw for e in watcher.since(0)]

    def test_stamps_receipt_with_its_clock(self, kube, api, bell):
        with Watcher(api, PODS, bell, clock=lambda: 7.25) as watcher:
            kube.put(PODS, pod("p", "e"))
            arrived(watcher, bell, 1)

            assert [e.unix_s for e in watcher.since(0)] == [7.25]

    def test_does_not_show_what_was_there_before(self, kube, api, bell):
        kube.put(PODS, pod("old", "e"))
        with Watcher(api, PODS, bell) as watcher:
            kube.put(PODS, pod("new", "e"))

            events = arrived(watcher, bell, 1)
        assert [e["object"]["metadata"]["name"] for e in events] == ["new"]

    def test_resumes_without_loss_when_the_server_closes_the_watch(self, kube, api, bell):
        with Watcher(api, PODS, bell) as watcher:
            kube.put(PODS, pod("first", "e"))
            arrived(watcher, bell, 1)
            kube.close_watches()
            kube.put(PODS, pod("second", "e"))

            events = arrived(watcher, bell, 2)
            gaps = watcher.gaps
        assert [e["object"]["metadata"]["name"] for e in events] == ["first", "second"]
        assert gaps == 0

    def test_counts_a_gap_when_its_version_is_compacted_away(self, kube, api, bell):
        with Watcher(api, PODS, bell) as watcher:
            kube.put(PODS, pod("first", "e"))
            arrived(watcher, bell, 1)
            kube.compact()
            with bell:
                assert bell.wait_for(lambda: watcher.gaps, timeout=60)
            kube.put(PODS, pod("second", "e"))

            events = arrived(watcher, bell, 2)
            gaps = watcher.gaps
        assert [e["object"]["metadata"]["name"] for e in events] == ["first", "second"]
        assert gaps == 1

    def test_dropped_events_leave_positions_as_they_were(self, kube, api, bell):
        with Watcher(api, PODS, bell) as watcher:
            for number in range(3):
                kube.put(PODS, pod(f"p{number}", "e"))
            arrived(watcher, bell, 3)
            watcher.drop(2)

            assert watcher.position == 3
            assert [kube.events[2][1]] == [e.raw for e in watcher.since(2)]
            assert [kube.events[2][1]] == [e.raw for e in watcher.since(0)]

    def test_a_refused_watch_is_one_line(self, kube, api, bell):
        kube.forbidden = True
        with pytest.raises(KubeError, match=r"GET /api/v1/.*/pods: 403 pods is forbidden"):
            Watcher(api, PODS, bell)

    def test_a_server_that_stays_away_breaks_it(self, kube, api, bell, monkeypatch):
        monkeypatch.setattr("pytest_flyteperf.collect.watching.RETRY_S", 0.0)
        monkeypatch.setattr("pytest_flyteperf.collect.watching.GIVE_UP_S", 0.0)
        with Watcher(api, PODS, bell) as watcher:
            watcher.check()
            kube.forbidden = True
            kube.close_watches()
            with bell:
                assert bell.wait_for(lambda: watcher._broken is not None, timeout=60)

            with pytest.raises(ClusterError, match=r"the watch of .*/pods ended: WATCH .* 403"):
                watcher.check()


class TestEnded:
    def event(self, kind, obj):
        return Received(
            0.0, json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode()
        )

    def test_the_terminated_label_is_the_end(self):
        assert ended(self.event("MODIFIED", flyteworkflow("a", terminated=True)), "a")

    def test_a_running_workflow_has_not_ended(self):
        assert not ended(self.event("MODIFIED", flyteworkflow("a")), "a")

    def test_deletion_is_the_end(self):
        assert ended(self.event("DELETED", flyteworkflow("a")), "a")

    def test_the_end_of_a_child_is_not_the_parents(self):
        child = flyteworkflow("child", terminated=True)
        child["spec"] = {"parent": "a"}
        assert not ended(self.event("MODIFIED", child), "a")
