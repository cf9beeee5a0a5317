"""A service within a cluster, reached through its API server."""

import socket
import threading
from contextlib import suppress

import pytest

from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.forward import Forward, Service
from tests.doubles.kube import FakeKube

NAMESPACE = "/api/v1/namespaces/flyte"
ADMIN = Service(namespace="flyte", name="flyteadmin", port=81)


def service(target=8089, port=81):
    return {
        "metadata": {"name": "flyteadmin"},
        "spec": {
            "selector": {"app": "admin"},
            "ports": [{"port": 80}, {"port": port, "targetPort": target}],
        },
    }


def pod(*, ready="True", name="admin-0"):
    return {
        "metadata": {"name": name, "labels": {"app": "admin"}},
        "spec": {"containers": [{"ports": [{"name": "grpc", "containerPort": 8089}]}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.fixture
def echo():
    """A port whose server sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(connection):
            with connection, suppress(OSError):
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        def serve():
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def kube(echo):
    with FakeKube() as kube:
        kube.forwards[8089] = echo
        kube.put(f"{NAMESPACE}/services", service())
        kube.put(f"{NAMESPACE}/pods", pod(ready="False", name="admin-starting"))
        kube.put(f"{NAMESPACE}/pods", pod())
        yield kube


@pytest.fixture
def kubeconfig(kube, tmp_path):
    return str(kube.kubeconfig(tmp_path))


def said(endpoint, text):
    host, port = endpoint.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(text)
        answer = b""
        while len(answer) < len(text) and (more := connection.recv(1 << 16)):
            answer += more
        return answer


def test_connections_reach_a_ready_pod_one_by_one(kubeconfig, kube):
    with Forward(kubeconfig, ADMIN) as forward:
        assert forward.endpoint.startswith("127.0.0.1:")
        assert said(forward.endpoint, b"one") == b"one"
        long = bytes(range(256)) * 1000
        assert said(forward.endpoint, long) == long
    asked = [path for _, path, _ in kube.requests if "portforward" in path]
    assert asked == [f"{NAMESPACE}/pods/admin-0/portforward?ports=8089"] * 3


def test_a_port_may_be_a_name(kubeconfig, kube):
    kube.put(f"{NAMESPACE}/services", service("grpc"))

    with Forward(kubeconfig, ADMIN) as forward:
        assert said(forward.endpoint, b"one") == b"one"


def test_another_pod_is_found_when_the_first_is_gone(kubeconfig, kube):
    with Forward(kubeconfig, ADMIN) as forward:
        kube.delete(f"{NAMESPACE}/pods", "admin-0")
        kube.put(f"{NAMESPACE}/pods", pod(name="admin-1"))
        assert said(forward.endpoint, b"one") == b"one"
    assert "/pods/admin-1/portforward" in kube.requests[-1][1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda kube: kube.delete(f"{NAMESPACE}/pods", "admin-0"), "no pod behind it is ready"),
        (lambda kube: kube.put(f"{NAMESPACE}/services", service(port=82)), "no such port, but 80"),
        (
            lambda kube: kube.forwards.clear(),
            "403 pods/portforward is forbidden.*needs to create pods/portforward",
        ),
        (lambda kube: setattr(kube, "forbidden", True), "403 pods is forbidden"),
    ],
)
def test_what_leads_nowhere_is_told_in_one_line(kubeconfig, kube, change, says):
    change(kube)

    with pytest.raises(DeploymentError, match=says) as refusal, Forward(kubeconfig, ADMIN):
        pass
    assert str(refusal.value).startswith("flyte/flyteadmin:81: ")
    assert "\n" not in str(refusal.value)


def test_a_port_of_this_machine_may_be_asked_for(kubeconfig):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(DeploymentError, match=f"port {port}, which leads to {ADMIN}"),
            Forward(kubeconfig, ADMIN, port),
        ):
            pass

    with Forward(kubeconfig, ADMIN, port) as forward:
        assert forward.endpoint == f"127.0.0.1:{port}"
        assert said(forward.endpoint, b"hello") == b"hello"
