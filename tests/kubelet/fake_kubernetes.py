"""An API server's pods and nodes, in memory, with faults on demand."""

from __future__ import annotations

import copy
import http.server
import json
import re
import threading
import time
import uuid
from urllib.parse import parse_qs, urlsplit

_FINISHED = ("Succeeded", "Failed")
_PATH = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)(/.*)?")


def shell(script):
    """A shell's command line; Kubernetes would take `$$` for an escape."""
    return ["sh", "-c", script.replace("$", "$$")]


class FakeKubernetes:
    """
    Keeps every version of every pod; `events` is what a watch without selector would have told.
    """

    def __init__(self):
        self.changed = threading.Condition()
        self.pods = {}
        self.nodes = {}
        self.events = []
        self.faults = []
        self.lost = []
        self._broken = None
        self._open = set()
        self.requests = []
        self.lists = 0
        self.watches = 0
        self._oldest = 0
        self._epoch = 0
        self.start()

    # The server

    def start(self, port=0):
        fake = self

        class Handler(_Handler):
            api = fake

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._end_watches()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def kubeconfig(self, folder):
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "clusters": [
                        {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
                    ],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        return path

    # What a test does

    def create(self, name, command=(), *, namespace="ns", metadata=None, container=None, **spec):
        meta = {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **(metadata or {}),
        }
        first = {"name": "main", "image": "i", "args": list(command), **(container or {})}
        pod = {
            "metadata": meta,
            "spec": {"containers": [first], "terminationGracePeriodSeconds": 30, **spec},
            "status": {"phase": "Pending"},
        }
        with self.changed:
            self._store("ADDED", pod)
        return meta["uid"]

    def delete(self, name, grace_s=30, namespace="ns"):
        with self.changed:
            return self._delete(namespace, name, {"gracePeriodSeconds": grace_s})

    def vanish(self, name, namespace="ns"):
        """Remove a pod as a forced deletion does."""
        with self.changed:
            self._remove(self.pods[namespace, name])

    def drop_finalizers(self, name, namespace="ns"):
        with self.changed:
            pod = copy.deepcopy(self.pods[namespace, name])
            pod["metadata"]["finalizers"] = []
            self._finish_deletion(pod)

    def close_watches(self):
        """Close the watch, as soon as there is one."""
        with self.changed:
            self.wait(lambda api: api._open)
            closing = set(self._open)
            self._end_watches()
            self.wait(lambda api: not closing & api._open)

    def _end_watches(self):
        with self.changed:
            self._epoch += 1
            self.changed.notify_all()

    def bookmark(self):
        """Something other than a pod changes, and the watch is told the version."""
        with self.changed:
            self.events.append((len(self.events) + 1, "OTHER", None))
            self.changed.notify_all()

    def forget_versions(self):
        """Answer 410 to whoever resumes from a version of the past."""
        with self.changed:
            self._oldest = len(self.events) + 1
            self.bookmark()

    def break_watches(self, code):
        """End every watch with an error in the stream."""
        with self.changed:
            self._broken = code
            self.close_watches()

    def lose_answers(self, pattern, times=1):
        """Carry out the next requests that match, and drop the connection instead of answering."""
        with self.changed:
            self.lost.append([re.compile(pattern), times])

    def fail(self, pattern, code, times=1):
        """Refuse the next requests whose method and path match; code 0 drops the connection."""
        with self.changed:
            self.faults.append([re.compile(pattern), code, times])

    def wait(self, condition, timeout_s=30):
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), timeout_s):
                raise AssertionError(json.dumps([self.summary(n) for _, n in self.pods], indent=1))

    def wait_phase(self, name, *phases, namespace="ns"):
        self.wait(lambda api: api.phase(name, namespace) in phases)
        return self.pod(name, namespace)

    def wait_gone(self, name, namespace="ns"):
        self.wait(lambda api: (namespace, name) not in api.pods)

    def pod(self, name, namespace="ns"):
        return copy.deepcopy(self.pods[namespace, name])

    def phase(self, name, namespace="ns"):
        pod = self.pods.get((namespace, name))
        return pod and pod["status"]["phase"]

    def history(self, name):
        return [(kind, pod) for _, kind, pod in self.events if pod and _name(pod) == name]

    def summary(self, name):
        return [name, *((kind, pod["status"]["phase"]) for kind, pod in self.history(name))]

    # Storage; the caller holds the lock

    def _store(self, kind, pod):
        pod = copy.deepcopy(pod)
        version = len(self.events) + 1
        pod["metadata"]["resourceVersion"] = str(version)
        key = pod["metadata"]["namespace"], _name(pod)
        if kind == "DELETED":
            del self.pods[key]
        else:
            self.pods[key] = pod
        self.events.append((version, kind, pod))
        self.changed.notify_all()
        return pod

    def _remove(self, pod):
        return self._store("DELETED", pod)

    def _finish_deletion(self, pod):
        meta = pod["metadata"]
        over = meta.get("deletionTimestamp") and meta["deletionGracePeriodSeconds"] == 0
        if over and not meta.get("finalizers"):
            return self._remove(pod)
        return self._store("MODIFIED", pod)

    def _delete(self, namespace, name, options):
        pod = copy.deepcopy(self.pods[namespace, name])
        grace = options.get("gracePeriodSeconds", 30)
        if not pod["spec"].get("nodeName") or pod["status"]["phase"] in _FINISHED:
            grace = 0
        pod["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
        pod["metadata"]["deletionGracePeriodSeconds"] = grace
        return self._finish_deletion(pod)

    def bind(self, namespace, name, body):
        pod = copy.deepcopy(self.pods[namespace, name])
        if node := pod["spec"].get("nodeName"):
            return 409, f'pod {name} is already assigned to node "{node}"'
        pod["spec"]["nodeName"] = body["target"]["name"]
        pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        self._store("MODIFIED", pod)
        return 201, {}

    def patch(self, namespace, name, body):
        pod = copy.deepcopy(self.pods[namespace, name])
        if body.get("metadata", {}).get("uid", pod["metadata"]["uid"]) != pod["metadata"]["uid"]:
            return 422, "field is immutable"
        _merge(pod, body)
        return 200, self._store("MODIFIED", pod)

    def fault(self, request):
        self.requests.append(request)
        self.changed.notify_all()
        for fault in self.faults:
            if fault[0].search(request) and fault[2]:
                fault[2] -= 1
                return fault[1]
        return None

    def loses(self, request):
        for fault in self.lost:
            if fault[0].search(request) and fault[1]:
                fault[1] -= 1
                return True
        return False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *args):
        self.connections = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self):
        for connection in tuple(self.connections):
            self.shutdown_request(connection)

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    api: FakeKubernetes
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        """Keep quiet."""

    def _serve(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        url = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        with self.api.changed:
            code = self.api.fault(f"{self.command} {self.path}")
            if code is None and "watch" not in query:
                code, answer = self._answer(url.path, body)
                if self.api.loses(f"{self.command} {self.path}"):
                    code = 0
        if code == 0:
            self.close_connection = True
            return
        if code is None:
            self._watch(int(query["resourceVersion"]))
            return
        if code >= 400:
            answer = {"kind": "Status", "code": code, "message": locals().get("answer", "planted")}
        self._send(code, answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _answer(self, path, body):
        api = self.api
        if path == "/api/v1/pods":
            api.lists += 1
            items = [p for p in api.pods.values() if _unfinished(p)]
            return 200, {"metadata": {"resourceVersion": str(len(api.events))}, "items": items}
        if path.startswith("/api/v1/nodes"):
            return self._node(path, body)
        namespace, name, subresource = _PATH.fullmatch(path).groups()
        if (namespace, name) not in api.pods:
            return 404, f"pods {name} not found"
        if self.command == "DELETE":
            return 200, api._delete(namespace, name, body or {})
        if subresource == "/binding":
            return api.bind(namespace, name, body)
        return api.patch(namespace, name, body)

    def _node(self, path, body):
        if path != "/api/v1/nodes":
            return 200, {}
        if body["metadata"]["name"] in self.api.nodes:
            return 409, "already exists"
        self.api.nodes[body["metadata"]["name"]] = body
        return 201, body

    def _send(self, code, answer):
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, version):
        api = self.api
        with api.changed:
            api.watches += 1
            epoch = api._epoch
            if version < api._oldest:
                self._send(410, {"message": "too old"})
                return
            api._open.add(self)
            api.changed.notify_all()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._stream(version, epoch)
        finally:
            with api.changed:
                api._open.discard(self)
                api.changed.notify_all()

    def _stream(self, version, epoch):
        api = self.api
        while True:
            with api.changed:
                while len(api.events) == version and api._epoch == epoch:
                    api.changed.wait()
                fresh, version = api.events[version:], len(api.events)
                closed = api._epoch != epoch
            for event in fresh:
                self._tell(event)
            if closed and api._broken:
                error = {"type": "ERROR", "object": {"kind": "Status", "code": api._broken}}
                self._chunk(json.dumps(error).encode() + b"\n")
            if closed:
                self._chunk(b"")
                return

    def _tell(self, event):
        version, kind, pod = event
        if pod is None:
            meta = {"resourceVersion": str(version), "creationTimestamp": None}
            pod = {"metadata": meta, "spec": {"containers": None}, "status": {}}
            kind = "BOOKMARK"
        elif kind != "DELETED" and not _unfinished(pod):
            kind = "DELETED"
        elif kind == "DELETED" and pod["status"]["phase"] in _FINISHED:
            return
        self._chunk(json.dumps({"type": kind, "object": pod}).encode() + b"\n")

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _name(pod):
    return pod["metadata"]["name"]


def _unfinished(pod):
    return pod["status"]["phase"] not in _FINISHED


def _merge(target, patch):
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value
