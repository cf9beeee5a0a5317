from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest

from pytest_flyteperf.engine.probes import until_ready
from pytest_flyteperf.engine.process import FileProbe, GrpcProbe, HttpProbe, TcpProbe
from pytest_flyteperf.provision.credentials import create


def ready(probe, patience_s: float = 30.0) -> bool:
    async def wait() -> bool:
        try:
            await asyncio.wait_for(until_ready(probe), patience_s)
        except TimeoutError:
            return False
        return True

    return asyncio.run(wait())


def unready(probe) -> bool:
    """Whether it stays so for as long as a ready one would need many times over."""
    return not ready(probe, 0.3)


@contextmanager
def http(answer, context: ssl.SSLContext | None = None):
    """A server that answers each GET with the status that `answer` returns for the handler."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            self.send_response(answer(self))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def test_a_file_is_awaited(tmp_path):
    probe = FileProbe(path=str(tmp_path / "ready"))
    assert unready(probe)
    (tmp_path / "ready").touch()
    assert ready(probe)


def test_nobody_listening_is_not_ready(tmp_path):
    assert unready(TcpProbe(address=f"unix:{tmp_path / 'socket'}"))
    assert unready(HttpProbe(url="http://127.0.0.1:1/"))
    assert unready(GrpcProbe(target="127.0.0.1:1"))


def test_a_listener_is_ready():
    with http(lambda _: 500) as port:
        assert ready(TcpProbe(address=f"127.0.0.1:{port}"))


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False), (302, False)])
def test_only_status_200_is_ready(status, expected):
    with http(lambda _: status) as port:
        probe = HttpProbe(url=f"http://127.0.0.1:{port}/health")
        assert ready(probe) if expected else unready(probe)


def test_an_error_is_asked_again():
    statuses = [500, 500]
    with http(lambda _: statuses.pop() if statuses else 200) as port:
        assert ready(HttpProbe(url=f"http://127.0.0.1:{port}/"))
    assert statuses == []


def test_path_query_and_token_are_sent(tmp_path):
    seen = []

    def answer(handler) -> int:
        seen.append((handler.path, handler.headers["Authorization"]))
        return 200

    (tmp_path / "token").write_text("secret\n", encoding="ascii")
    with http(answer) as port:
        url = f"http://127.0.0.1:{port}/readyz?exclude=a/b"
        assert ready(HttpProbe(url=url, token_file=str(tmp_path / "token")))

    assert seen == [("/readyz?exclude=a/b", "Bearer secret")]


def test_a_certificate_of_another_authority_is_not_ready(tmp_path):
    folders = [tmp_path / "own", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    own, other = map(create, folders)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.serving, own.serving_key)
    with http(lambda _: 200, context) as port:
        url = f"https://127.0.0.1:{port}/"
        assert ready(HttpProbe(url=url, ca=own.ca))
        assert unready(HttpProbe(url=url, ca=other.ca))
        assert unready(HttpProbe(url=url))


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"\x08\x01", True), (b"\x08\x02", False), (b"", False)]
)
def test_only_a_serving_grpc_service_is_ready(answer, expected):
    asked = []

    def check(request: bytes, _: grpc.ServicerContext) -> bytes:
        asked.append(request)
        return answer

    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=(handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        probe = GrpcProbe(target=f"127.0.0.1:{port}", service="admin")
        assert ready(probe) if expected else unready(probe)
        server.stop(None).wait()

    assert asked[0] == b"\x0a\x05admin"
