"""A Docker daemon in a few lines: what it says of itself, its networks and its images."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer
from urllib.parse import parse_qs, urlsplit

GIB = 1 << 30


class FakeDocker:
    """Answers on a unix socket; `info` can be changed, and images and networks be added.

    A path in `broken` is answered with that text as it is; `delay_s` comes before each answer.
    """

    def __init__(self, folder):
        self.path = folder / "docker.sock"
        self.info = {"ServerVersion": "20.10.24", "MemTotal": 8 * GIB, "DockerRootDir": str(folder)}
        self.networks = {}
        self.images = {}
        self.tags = []
        self.broken = {}
        self.delay_s = 0.0
        self._server = _Server(str(self.path), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def host(self):
        return f"unix://{self.path}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path):
        noun, _, name = path.partition("/")
        if noun == "version":
            return 200, {"ApiVersion": "1.41"}
        if noun == "info":
            return 200, self.info
        if path == "networks":
            return 200, [{"Name": name, **network} for name, network in self.networks.items()]
        found = {"networks": self.networks, "images": self.images}[noun].get(name)
        return (404, {"message": f"no such {noun}: {name}"}) if found is None else (200, found)

    def _handler(self):
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(double.delay_s)
                path = self._path().removesuffix("/json")
                status, body = double._answer(path)
                self._send(status, double.broken.get(path, json.dumps(body)).encode())

            def do_POST(self):
                noun, image, verb = self._path().split("/")
                assert (noun, verb) == ("images", "tag")
                query = parse_qs(urlsplit(self.path).query)
                double.tags.append((image, f"{query['repo'][0]}:{query['tag'][0]}"))
                self._send(201, b"")

            def _path(self):
                return urlsplit(self.path).path.removeprefix("/v1.41").removeprefix("/")

            def _send(self, status, content):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with suppress(BrokenPipeError):  # of a client that waited no longer
                    self.wfile.write(content)

            def address_string(self):
                return "unix"

            def log_message(self, *_):
                """Say nothing."""

        return Handler


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
