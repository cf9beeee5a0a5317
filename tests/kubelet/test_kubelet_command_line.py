from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import pytest

KUBELET = (sys.executable, "-P", "-m", "pytest_flyteperf.engine.kubelet", "--config")


def refusal(path):
    done = subprocess.run([*KUBELET, path], capture_output=True, text=True, timeout=60, check=False)
    (line,) = done.stderr.splitlines()
    return done.returncode, line


def test_an_absent_configuration_is_one_line(tmp_path):
    path = tmp_path / "none.json"

    assert refusal(path) == (2, f"{path}: No such file or directory; name a readable file")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Input data was truncated"),
        ("{}", "Object missing required field `kubeconfig`"),
        ('{"kubeconfig": 1}', "Expected `str`, got `int` - at `$.kubeconfig`"),
        ('{"slot": 1}', "Object contains unknown field `slot`"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path, text, reason):
    path = tmp_path / "kubelet.json"
    path.write_text(text)

    assert refusal(path) == (2, f"{path}: {reason}; correct the kubelet's configuration")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "not a kubeconfig; write it anew"),
        ("[]", "not a kubeconfig; write it anew"),
        ("a: 1", "no current-context; write the kubeconfig anew"),
        ("current-context: x\ncontexts: []", "no context x; write the kubeconfig anew"),
    ],
)
def test_a_wrong_kubeconfig_is_named(config, tmp_path, text, reason):
    chosen = config()
    (tmp_path / "kubeconfig").write_text(text)
    path = tmp_path / "kubelet.json"
    path.write_bytes(msgspec.json.encode(chosen))

    assert refusal(path) == (4, f"{tmp_path}/kubeconfig: {reason}")


def test_it_is_ready_once_it_can_run_pods_and_ends_when_asked(api, forks, config, tmp_path):
    assert forks.process.poll() is None
    path = tmp_path / "kubelet.json"
    path.write_bytes(msgspec.json.encode(config()))
    ready = tmp_path / "kubelet.ready"
    with subprocess.Popen([*KUBELET, path], stderr=subprocess.PIPE) as kubelet:
        api.create("p", ["true"])
        api.wait_phase("p", "Succeeded")
        assert ready.read_text() == f"{kubelet.pid}\n"
        assert set(api.nodes) == {"local"}
        kubelet.send_signal(signal.SIGTERM)
        assert kubelet.wait(30) == 0
    assert not ready.exists()


def test_it_can_be_ended_while_it_waits_for_the_api_server(config, api, tmp_path):
    path = tmp_path / "kubelet.json"
    path.write_bytes(msgspec.json.encode(config()))
    api.fail(".*", 503, times=1000)
    with subprocess.Popen([*KUBELET, path], stderr=subprocess.PIPE) as kubelet:
        api.wait(lambda api: api.requests)
        kubelet.send_signal(signal.SIGTERM)
        assert kubelet.wait(30) == 0
