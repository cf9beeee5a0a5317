"""Code that goes through FlyteAdmin: asked for a place, put where it says."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from flyteidl.service import dataproxy_pb2, dataproxy_pb2_grpc

from pytest_flyteperf.errors import RegistrationError
from pytest_flyteperf.execute import code
from tests.doubles.flyte import FakeFlyte


class Store(dataproxy_pb2_grpc.DataProxyServiceServicer):
    """FlyteAdmin's data proxy and the store it signs for; keeps what is put there."""

    def __init__(self):
        self.kept = []
        self.status = 200
        self.http = HTTPServer(("127.0.0.1", 0), self._handler())
        self.grpc = grpc.server(ThreadPoolExecutor(1))
        dataproxy_pb2_grpc.add_DataProxyServiceServicer_to_server(self, self.grpc)
        self.endpoint = f"127.0.0.1:{self.grpc.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self):
        self.grpc.start()
        self._thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.grpc.stop(None).wait()
        self.http.shutdown()
        self._thread.join()
        self.http.server_close()

    def CreateUploadLocation(self, request, _context):  # noqa: N802 - gRPC
        return dataproxy_pb2.CreateUploadLocationResponse(
            signed_url=f"http://127.0.0.1:{self.http.server_address[1]}/{request.filename}",
            native_url=f"s3://bucket/{request.filename}",
            # As FlyteAdmin has it: the length is that of the digest.
            headers={"Content-Length": "24", "x-amz-meta-flyteContentMD5": "digest"},
        )

    def _handler(store):  # noqa: N805 - the inner class needs `self`
        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                self.send_response(store.status)
                self.end_headers()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                store.kept.append((body, self.headers["x-amz-meta-flyteContentMD5"]))

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def store():
    with Store() as store:
        yield store


@pytest.fixture
def deployment(store, tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte.deployment(admin_endpoint=store.endpoint)


def test_the_whole_archive_arrives_with_the_headers_that_were_asked_for(store, deployment):
    archive = bytes(1000)

    assert code._through_admin(deployment, "a.tar.gz", archive) == "s3://bucket/a.tar.gz"
    assert store.kept == [(archive, "digest")]


def test_a_refusal_is_told(store, deployment, monkeypatch):
    store.status = 403
    monkeypatch.setattr(code, "_into_store", code._through_admin)

    with pytest.raises(RegistrationError, match=r"s3://bucket/a\.tar\.gz: HTTP status 403"):
        code._send(deployment, "a.tar.gz", b"code")
