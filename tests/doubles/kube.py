"""A Kubernetes API in a few lines: objects, lists, deletions, watches that stream, forwards."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.doubles import portforward

WORKFLOWS = "/apis/flyte.lyft.com/v1alpha1/namespaces/flytesnacks-development/flyteworkflows"
PODS = "/api/v1/namespaces/flytesnacks-development/pods"


class FakeKube:
    """Objects by collection path and name; each change is an event with a version."""

    def __init__(self):
        self.objects = {}
        self.pages = {}
        self.events = []
        self.compacted = 0
        self.token = "secret"  # noqa: S105 - of a double
        self.requests = []
        self.forbidden = False
        self.busy = 0
        self.forwards = {}
        self.refused = set()
        self._changed = threading.Condition()
        self._epoch = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close_watches()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, folder):
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
            "clusters": [{"name": "one", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": self.token}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def put(self, path, obj):
        """Create or replace an object."""
        with self._changed:
            kind = "MODIFIED" if (path, obj["metadata"]["name"]) in self.objects else "ADDED"
            self.objects[path, obj["metadata"]["name"]] = obj
            self._emit(kind, path, obj)

    def delete(self, path, name):
        with self._changed:
            obj = self.objects.pop((path, name), None)
            if obj is not None:
                self._emit("DELETED", path, obj)

    def close_watches(self):
        """End every open watch, as an API server does every hour or so."""
        with self._changed:
            self._epoch += 1
            self._changed.notify_all()

    def compact(self):
        """Lose the open watches and all versions so far: a watch behind one of them is told 410."""
        with self._changed:
            self._emit("ADDED", "/elsewhere", {"metadata": {"name": "unseen"}})
            self.compacted = len(self.events)
            self.close_watches()

    def _emit(self, kind, path, obj):
        version = str(len(self.events) + 1)
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
        line = json.dumps({"type": kind, "object": stored}, separators=(",", ":")).encode()
        self.events.append((path, line))
        self._changed.notify_all()

    def _handler(kube):  # noqa: C901 - one server, whole
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                path, query = self._read()
                if path.endswith("/portforward"):
                    return self._forward(int(query["ports"]))
                if kube.forbidden or path in kube.refused:
                    return self._answer(403, {"message": "pods is forbidden"})
                if kube.busy:
                    kube.busy -= 1
                    return self._answer(429, {"message": "storage is (re)initializing"})
                if query.get("watch") == "true":
                    return self._watch(path, int(query["resourceVersion"]))
                return self._answer(*self._found(path, query))

            def _forward(self, port):
                if port not in kube.forwards:
                    return self._answer(403, {"message": "pods/portforward is forbidden"})
                return portforward.serve(self, port, kube.forwards[port])

            def _found(self, path, query):
                one = kube.objects.get(tuple(path.rsplit("/", 1)), kube.pages.get(path))
                if one is not None:
                    return 200, one
                if "customresourcedefinitions" in path:
                    return 404, {"message": "not found"}
                with kube._changed:
                    items = [o for (p, _), o in kube.objects.items() if p == path]
                    version = str(len(kube.events))
                items = [o for o in items if _selected(o, query.get("labelSelector"))]
                items = items[: int(query.get("limit", len(items)))]
                if "PartialObjectMetadataList" in self.headers["Accept"]:
                    items = items or None  # as a real API server answers
                return 200, {"metadata": {"resourceVersion": version}, "items": items}

            def do_DELETE(self):
                path, query = self._read()
                with kube._changed:
                    found = list(kube.objects.items())
                for (collection, name), obj in found:
                    if collection == path and _selected(obj, query.get("labelSelector")):
                        kube.delete(path, name)
                self._answer(200, {})

            def _read(self):
                kube.requests.append((self.command, self.path, self.headers.get("Authorization")))
                parts = urlsplit(self.path)
                return parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}

            def _answer(self, status, body):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _watch(self, path, position):
                if position < kube.compacted:
                    return self._answer(410, {"message": "too old resource version"})
                epoch = kube._epoch
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while True:
                    with kube._changed:
                        while position == len(kube.events) and epoch == kube._epoch:
                            kube._changed.wait()
                        lines = [line for p, line in kube.events[position:] if p == path]
                        position = len(kube.events)
                        over = epoch != kube._epoch
                    try:
                        if over:
                            return self._chunk(b"")
                        for line in lines:
                            self._chunk(line + b"\n")
                    except OSError:
                        return None

            def _chunk(self, data):
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()

        return Handler


def _selected(obj, selector):
    if not selector:
        return True
    labels = obj["metadata"].get("labels", {})
    among = re.fullmatch(r"(\S+) in \((.+)\)", selector)
    if among:
        return labels.get(among[1]) in among[2].split(",")
    pairs = [part.partition("=") for part in selector.split(",")]
    return all(
        (labels.get(key.rstrip("!")) == value) != key.endswith("!") for key, _, value in pairs
    )


def flyteworkflow(name, *, terminated=False):
    labels = {"execution-id": name}
    if terminated:
        labels["termination-status"] = "terminated"
    return {"metadata": {"name": name, "labels": labels}, "status": {}}


def pod(name, execution):
    return {"metadata": {"name": name, "labels": {"execution-id": execution}}, "status": {}}
