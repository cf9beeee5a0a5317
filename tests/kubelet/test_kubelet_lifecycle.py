from __future__ import annotations

import os
import select

import pytest
from fake_kubernetes import shell

pytestmark = pytest.mark.usefixtures("kubelet")

STARTED = "flyteperf.dev/started-ns"
FINISHED = "flyteperf.dev/finished-ns"
USE = "flyteperf.dev/use"


def terminated(pod, place=0):
    return pod["status"]["containerStatuses"][place]["state"]["terminated"]


def conditions(pod):
    return {c["type"]: (c["status"], c.get("reason")) for c in pod["status"].get("conditions", ())}


def test_a_pod_that_succeeds_is_told_in_four_events(api):
    api.create("p", ["true"])
    api.wait_phase("p", "Succeeded")

    added, bound, running, ended = api.history("p")

    assert [kind for kind, _ in (added, bound, running, ended)] == ["ADDED", *["MODIFIED"] * 3]
    assert added[1]["spec"].get("nodeName") is None
    assert bound[1]["spec"]["nodeName"] == "local"
    assert conditions(bound[1]) == {"PodScheduled": ("True", None)}
    assert running[1]["status"]["phase"] == "Running"
    assert conditions(running[1]) == dict.fromkeys(
        ("PodScheduled", "Initialized", "ContainersReady", "Ready"), ("True", None)
    )
    assert conditions(ended[1])["Ready"] == ("False", "PodCompleted")
    assert terminated(ended[1])["reason"] == "Completed"


def test_stamps_travel_with_the_phase_they_belong_to(api):
    api.create("p", ["true"])
    api.wait_phase("p", "Succeeded")

    stamps = [pod["metadata"].get("annotations", {}) for _, pod in api.history("p")]

    assert [set(s) for s in stamps] == [set(), set(), {STARTED}, {STARTED, FINISHED, USE}]
    assert int(stamps[2][STARTED]) < int(stamps[3][FINISHED])
    assert stamps[2][STARTED] == stamps[3][STARTED]


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -SEGV $$", 139)],
)
def test_exit_codes_are_honoured(api, script, exit_code):
    api.create("p", shell(script))

    pod = api.wait_phase("p", "Succeeded", "Failed")

    assert terminated(pod)["exitCode"] == exit_code
    assert terminated(pod)["reason"] == ("Error" if exit_code else "Completed")
    assert pod["status"]["phase"] == ("Failed" if exit_code else "Succeeded")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["no-such-program"], 'exec: "no-such-program": executable file not found in $PATH'),
        (["/no/such/program"], 'exec: "/no/such/program": no such file or directory'),
        (["/dev/null"], 'exec: "/dev/null": permission denied'),
        ([], "no command specified"),
    ],
)
def test_a_missing_command_is_a_start_error(api, command, message):
    api.create("p", command)

    pod = api.wait_phase("p", "Failed")

    assert terminated(pod)["reason"] == "StartError"
    assert terminated(pod)["exitCode"] == 128
    assert terminated(pod)["message"] == message
    assert "annotations" not in pod["metadata"] or not pod["metadata"]["annotations"]
    assert [p["status"]["phase"] for _, p in api.history("p")] == ["Pending", "Pending", "Failed"]


def test_a_missing_working_folder_is_a_start_error(api):
    api.create("p", ["true"], container={"workingDir": "/no/such/folder"})

    pod = api.wait_phase("p", "Failed")

    assert terminated(pod)["message"] == "No such file or directory: /no/such/folder"


def test_a_failed_container_tells_the_end_of_its_log_if_asked(api):
    script = shell("echo one; echo two >&2; exit 1")
    api.create("asked", script, container={"terminationMessagePolicy": "FallbackToLogsOnError"})
    api.create("not-asked", script)

    assert terminated(api.wait_phase("asked", "Failed"))["message"] == "one\ntwo"
    assert "message" not in terminated(api.wait_phase("not-asked", "Failed"))


def test_the_log_is_kept(api, log_dir):
    api.create("p", shell("echo out; echo err >&2"))
    api.wait_phase("p", "Succeeded")

    assert (log_dir / "ns_p_main.log").read_text() == "out\nerr\n"


def test_command_and_arguments_are_joined(api, log_dir):
    api.create("p", ["b c"], container={"command": ["printf", "%s|", "a"]})
    api.wait_phase("p", "Succeeded")

    assert (log_dir / "ns_p_main.log").read_text() == "a|b c|"


def test_what_a_process_cannot_have_is_a_config_error(api):
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    api.create("p", ["true"], container={"env": [{"name": "S", "valueFrom": source}]})

    api.wait(lambda api: "containerStatuses" in api.pods["ns", "p"]["status"])

    waiting = api.pod("p")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert waiting["message"] == "variable S: only valueFrom.fieldRef is supported"


def test_init_containers_run_before_the_others_in_their_order(api, tmp_path):
    def note(word):
        return shell(f"echo {word} >> {tmp_path}/order")

    init = [{"name": name, "command": note(name)} for name in ("first", "second")]
    api.create("p", note("main"), initContainers=init)
    api.wait_phase("p", "Succeeded")

    assert (tmp_path / "order").read_text().split() == ["first", "second", "main"]


def test_a_failed_init_container_fails_the_pod(api, tmp_path):
    init = [{"name": "first", "command": ["false"]}]
    api.create("p", ["touch", f"{tmp_path}/ran"], initContainers=init)

    pod = api.wait_phase("p", "Failed")

    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    assert pod["status"]["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "PodInitializing"}
    }
    assert not (tmp_path / "ran").exists()


def test_a_pod_ends_with_the_last_of_its_containers(api, tmp_path):
    side = {"name": "side", "command": shell(f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done")}
    main = {"name": "main", "command": ["false"]}
    api.create("p", containers=[main, side])

    def main_ended(api):
        states = api.pods["ns", "p"]["status"].get("containerStatuses", ())
        return [set(s["state"]) for s in states] == [{"terminated"}, {"running"}]

    api.wait(main_ended)
    assert api.phase("p") == "Running"
    (tmp_path / "go").touch()

    pod = api.wait_phase("p", "Failed")
    assert [terminated(pod, place)["exitCode"] for place in (0, 1)] == [1, 0]


def test_a_pod_over_its_deadline_is_ended(api):
    api.create("p", ["sleep", "1000"], activeDeadlineSeconds=1)

    pod = api.wait_phase("p", "Failed")

    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert terminated(pod)["exitCode"] == 143


def test_a_pod_leaves_no_process_behind(api, tmp_path):
    daemon = "(setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' &)"
    wait = "while ! [ -e one ] || ! [ -e two ]; do sleep 0.01; done"
    script = f"{daemon.format('one')}; {daemon.format('two')}; {wait}"
    api.create("p", shell(script), container={"workingDir": str(tmp_path)})
    api.wait_phase("p", "Succeeded")

    for name in ("one", "two"):
        assert ended(int((tmp_path / name).read_text()))


def ended(pid, timeout_s=10):
    """Whether a process is gone, or goes soon."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], timeout_s)[0])
    finally:
        os.close(process)


def test_the_temporary_folder_is_the_pods_own(api, log_dir):
    api.create("p", shell("touch $TMPDIR/x; echo $TMPDIR"))
    api.create("q", shell("ls $TMPDIR; echo $TMPDIR"))
    api.wait(lambda api: {api.phase("p"), api.phase("q")} == {"Succeeded"})

    (one,) = (log_dir / "ns_p_main.log").read_text().split()
    (two,) = (log_dir / "ns_q_main.log").read_text().split()
    assert one != two


def test_the_node_is_another_ones(api):
    api.create("theirs", ["true"], nodeName="elsewhere")
    api.create("ours", ["true"], nodeName="local")
    api.wait_phase("ours", "Succeeded")

    assert api.phase("theirs") == "Pending"
    assert [request for request in api.requests if "/binding" in request] == []
