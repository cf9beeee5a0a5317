from __future__ import annotations

import pytest
from fake_kubernetes import shell

pytestmark = pytest.mark.usefixtures("kubelet")


def test_a_waiting_pod_is_forgotten(api, tmp_path):
    wait = shell(f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done")
    for place in range(4):
        api.create(f"busy{place}", wait)
    api.create("waiting", ["touch", f"{tmp_path}/ran"])
    api.wait(lambda api: all(api.phase(f"busy{n}") == "Running" for n in range(4)))

    api.delete("waiting")
    (tmp_path / "go").touch()
    api.create("after", ["true"])
    api.wait_phase("after", "Succeeded")

    assert ("ns", "waiting") not in api.pods
    assert not (tmp_path / "ran").exists()


def test_a_running_pod_is_ended_and_removed(api, tmp_path):
    api.create(
        "p",
        shell(
            f"trap 'touch {tmp_path}/asked; exit 7' TERM; touch {tmp_path}/up; "
            "while :; do sleep 0.01; done"
        ),
    )
    api.wait_phase("p", "Running")
    wait_for(tmp_path / "up", api)

    api.delete("p")
    api.wait_gone("p")

    assert (tmp_path / "asked").exists()
    kind, last = api.history("p")[-1]
    assert kind == "DELETED"
    ended = last["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (last["status"]["phase"], ended["exitCode"]) == ("Failed", 7)


def wait_for(path, api):
    """Wait for a file by a pod that ends when it is there."""
    name = f"wait-{path.name}"
    api.create(name, shell(f"while ! [ -e {path} ]; do sleep 0.01; done"))
    api.wait_phase(name, "Succeeded")


def test_a_pod_that_will_not_end_is_killed_after_its_grace(api, tmp_path):
    api.create("p", shell(f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 0.01; done"))
    api.wait_phase("p", "Running")
    wait_for(tmp_path / "up", api)

    api.delete("p", grace_s=1)
    api.wait_gone("p")

    ended = api.history("p")[-1][1]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")


def test_a_second_deletion_may_be_in_more_of_a_hurry(api, tmp_path):
    api.create("p", shell(f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 0.01; done"))
    api.wait_phase("p", "Running")
    wait_for(tmp_path / "up", api)

    api.delete("p", grace_s=1000)
    api.delete("p", grace_s=1)
    api.wait_gone("p")

    ended = api.history("p")[-1][1]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 137


def test_a_pod_deleted_before_its_turn_never_runs(api, tmp_path):
    wait = shell(f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done")
    for place in range(4):
        api.create(f"busy{place}", wait)
    api.create("p", ["touch", f"{tmp_path}/ran"], nodeName="local")
    api.wait(lambda api: all(api.phase(f"busy{n}") == "Running" for n in range(4)))

    api.delete("p")
    api.wait_gone("p")

    assert api.history("p")[-1][1]["status"]["phase"] == "Failed"
    assert not api.history("p")[-1][1]["status"]["startTime"].startswith("1970")
    (tmp_path / "go").touch()
    api.wait(lambda api: all(api.phase(f"busy{n}") == "Succeeded" for n in range(4)))
    assert not (tmp_path / "ran").exists()


def test_a_finalizer_keeps_the_object_and_not_the_process(api):
    api.create("p", ["sleep", "1000"], metadata={"finalizers": ["flyte.org/finalizer-k8s"]})
    api.wait_phase("p", "Running")

    api.delete("p")
    api.wait(
        lambda api: (
            api.pods["ns", "p"]["metadata"]["deletionGracePeriodSeconds"] == 0
            if "deletionTimestamp" in api.pods["ns", "p"]["metadata"]
            else False
        )
    )

    assert api.phase("p") == "Failed"
    api.drop_finalizers("p")
    api.wait_gone("p")


def test_a_pod_that_vanishes_frees_its_slot(api, tmp_path):
    for place in range(4):
        api.create(f"busy{place}", shell(f"echo $$ >> {tmp_path}/pids; exec sleep 1000"))
    api.wait(lambda api: all(api.phase(f"busy{n}") == "Running" for n in range(4)))

    for place in range(4):
        api.vanish(f"busy{place}")
    for place in range(4):
        api.create(f"next{place}", ["true"])

    api.wait(lambda api: all(api.phase(f"next{n}") == "Succeeded" for n in range(4)))


def test_a_pod_deleted_before_its_end_is_stored_is_removed(api):
    """
    The deletion arrives while the write of the end is refused for the moment.
    """
    api.fail(r"PATCH .*/p/status", 503, times=2)
    api.create("p", ["true"])
    api.wait(lambda api: sum(fault[2] for fault in api.faults) == 0)
    api.delete("p")

    api.wait_gone("p")


def test_a_name_given_again_is_another_pod(api):
    first = api.create("p", ["sleep", "1000"])
    api.wait_phase("p", "Running")
    api.vanish("p")
    second = api.create("p", ["true"])

    pod = api.wait_phase("p", "Succeeded", "Failed")

    assert pod["metadata"]["uid"] == second != first
    assert pod["status"]["phase"] == "Succeeded"


def test_a_pod_deleted_while_it_is_bound_never_runs(api, tmp_path):
    api.fail(r"POST .*/p/binding", 503, times=4)
    api.create("p", ["touch", f"{tmp_path}/ran"])
    api.wait(lambda api: api.faults[0][2] < 4)
    api.delete("p")
    api.wait_gone("p")

    api.create("after", ["true"])
    api.wait_phase("after", "Succeeded")
    assert not (tmp_path / "ran").exists()
