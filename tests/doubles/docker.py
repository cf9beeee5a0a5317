"""A Docker daemon in a few lines: what it says of itself, its networks and its images."""

import json
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

GIB = 1 << 30


class FakeDocker:
    """Answers on a unix socket; `info` can be changed, and images and networks be added."""

    def __init__(self, folder):
        self.path = folder / "docker.sock"
        self.info = {"ServerVersion": "20.10.24", "MemTotal": 8 * GIB, "DockerRootDir": str(folder)}
        self.networks = {}
        self.images = {}
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
                path = self.path.split("?")[0].removeprefix("/v1.41").removesuffix("/json")
                status, body = double._answer(path.removeprefix("/"))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def address_string(self):
                return "unix"

            def log_message(self, *_):
                """Say nothing."""

        return Handler


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
