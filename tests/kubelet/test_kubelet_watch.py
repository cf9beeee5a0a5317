from __future__ import annotations

import pytest


@pytest.fixture
def succeeds(api):
    """A function that runs a pod to its end."""

    def run(name):
        api.create(name, ["true"])
        api.wait_phase(name, "Succeeded")
        assert len(api.history(name)) == 4

    return run


@pytest.mark.usefixtures("kubelet")
def test_a_closed_watch_is_resumed_without_a_list(api, succeeds):
    succeeds("before")
    for turn in range(5):
        watches = api.watches
        api.close_watches()
        succeeds(f"after{turn}")
        assert api.watches > watches

    assert api.lists == 1


@pytest.mark.usefixtures("kubelet")
def test_a_bookmark_moves_the_version_on(api, succeeds):
    api.bookmark()
    succeeds("after")
    assert api.watches == 1

    api.bookmark()
    api.forget_versions()
    api.close_watches()
    succeeds("much_later")

    assert api.lists == 1


@pytest.mark.usefixtures("kubelet")
def test_a_version_that_is_gone_leads_to_a_list(api, succeeds):
    succeeds("before")
    with api.changed:
        # What happens while no watch is open is told by the list alone.
        api.fail(r"GET .*watch=true", 0, times=1000)
        api.close_watches()
        api.forget_versions()
        api.create("meanwhile", ["true"])
        api.faults.clear()

    api.wait_phase("meanwhile", "Succeeded")
    succeeds("after")
    assert api.lists >= 2


@pytest.mark.usefixtures("kubelet")
def test_a_version_that_is_gone_in_mid_stream_leads_to_a_list(api, succeeds):
    api.break_watches(410)

    succeeds("after")

    assert api.lists == 2


@pytest.mark.usefixtures("kubelet")
def test_a_pod_that_goes_while_nobody_watches_is_ended(api, succeeds):
    for place in range(4):
        api.create(f"p{place}", ["sleep", "1000"])
    api.wait(lambda api: all(api.phase(f"p{n}") == "Running" for n in range(4)))
    with api.changed:
        api.fail(r"GET .*watch=true", 0, times=1000)
        api.close_watches()
        api.forget_versions()
        for place in range(4):
            api.vanish(f"p{place}")
        api.faults.clear()

    succeeds("after")  # needs one of the four slots


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("code", [0, 429, 500, 503])
@pytest.mark.parametrize("request_", ["POST .*/binding", "PATCH .*/status", "GET .*/pods"])
def test_requests_refused_for_the_moment_are_made_again(api, succeeds, code, request_):
    api.fail(request_, code, times=3)
    api.close_watches()

    succeeds("p")

    assert api.faults[0][2] == 0


@pytest.mark.usefixtures("kubelet")
def test_a_binding_whose_answer_is_lost_is_not_a_failure(api, succeeds):
    api.lose_answers(r"POST .*/binding", times=1)

    succeeds("p")


@pytest.mark.usefixtures("kubelet")
def test_an_api_server_that_restarts_finds_everything_told(api, tmp_path, succeeds):
    api.create(
        "p",
        ["sh", "-c", f"while ! [ -e {tmp_path}/go ]; do sleep 0.01; done; touch {tmp_path}/done"],
    )
    api.wait_phase("p", "Running")
    port = api.port
    api.stop()
    (tmp_path / "go").touch()
    api.start(port)

    api.wait_phase("p", "Succeeded")
    succeeds("after")


def test_pods_made_before_the_start_are_run(api, start_kubelet):
    for place in range(10):
        api.create(f"p{place}", ["true"])
    start_kubelet()

    api.wait(lambda api: all(api.phase(f"p{n}") == "Succeeded" for n in range(10)))
