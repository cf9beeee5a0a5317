"""A real API server with this project's kubelet and fork server as processes, for tests."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.engine.kubelet.api import Api, ApiError, Unreachable
from pytest_flyteperf.engine.kubelet.kubeconfig import load_endpoint
from pytest_flyteperf.provision import credentials as secret
from pytest_flyteperf.provision import programs
from pytest_flyteperf.provision.layout import Layout

NAMESPACE = "tests"
_START_S = 120
_STOP_S = 10


class KubeNode:
    """Starts everything in a folder; a context manager that leaves nothing running."""

    def __init__(self, folder, slots=8):
        self._folder = folder
        self._slots = slots
        self._stack = contextlib.ExitStack()
        self._events = collections.defaultdict(list)
        self._changed = threading.Condition()
        self.processes = {}
        self.project = folder / "project"
        self.logs = folder / "logs" / "pods"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # An API server that is asked to end waits for its watches.
        self._stack.close()
        for name in reversed(self.processes):
            process = self.processes[name]
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self):
        engine = ensure_engine(print)
        layout = Layout(directory=self._folder, cluster_id="t", temporary=self._folder / "tmp")
        folders = (layout.temporary, layout.run, layout.credentials, layout.data, layout.logs)
        for path in (*folders, self.project):
            path.mkdir()
        ports = programs.Ports.free()
        keys = secret.create(layout.credentials)
        url = f"https://127.0.0.1:{ports.kubernetes}"
        kubeconfig = secret.write_kubeconfig(layout.credentials / "kubeconfig", url, keys)
        self._run(programs.etcd(engine, layout))
        self._run(programs.kube_apiserver(engine, layout, ports, keys))
        self._run(programs.fork_server(layout, self.project))
        kubelet = programs.kubelet(layout, kubeconfig, {})
        config = layout.run / "kubelet.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"slots": self._slots}))
        self._run(kubelet)
        self.endpoint = load_endpoint(Path(kubeconfig))
        self.api = Api(self.endpoint)
        self._stack.callback(self.api.close)
        self._wait(layout.run / "kubelet.ready")
        with contextlib.suppress(ApiError):
            self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        version = json.loads(self.api.request("GET", self.path()))["metadata"]["resourceVersion"]
        watch = Api(self.endpoint)
        thread = threading.Thread(target=self._watch, args=(watch, version))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(watch.interrupt)

    def _run(self, spec):
        self.specs = {**getattr(self, "specs", {}), spec.name: spec}
        with Path(spec.log).open("ab") as log:
            self.processes[spec.name] = subprocess.Popen(
                spec.argv, cwd=spec.cwd, stdout=log, stderr=log, env=os.environ | dict(spec.env)
            )

    def restart(self, name):
        """Kill a process as the kernel would, and start it again."""
        self.processes[name].kill()
        self.processes[name].wait()
        self._run(self.specs[name])

    def _wait(self, ready):
        deadline = time.monotonic() + _START_S
        while not ready.exists():
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name}: {Path(self.specs[name].log).read_text()}"
            assert time.monotonic() < deadline, f"{ready} does not come"
            time.sleep(0.02)

    def _watch(self, api, version):
        with contextlib.suppress(*Unreachable):
            path = f"{self.path()}?watch=true&resourceVersion={version}"
            for line in api.stream(path, 600):
                received_ns = time.time_ns()
                event = json.loads(line)
                with self._changed:
                    self._events[event["object"]["metadata"]["name"]].append((received_ns, event))
                    self._changed.notify_all()

    @staticmethod
    def path(name=""):
        return f"/api/v1/namespaces/{NAMESPACE}/pods{name and '/'}{name}"

    def create(self, name, command, **container):
        """Make a pod of one container, named as Kubernetes wants it."""
        main = {"name": "main", "image": "i", "args": list(command), **container}
        spec = {"restartPolicy": "Never", "containers": [main]}
        pod = {"metadata": {"name": name}, "spec": spec}
        return json.loads(self.api.request("POST", self.path(), pod))

    def delete(self, name):
        self.api.request("DELETE", self.path(name))

    def history(self, name):
        """Receipt times in Unix nanoseconds and watch events of a pod."""
        return self._events[name]

    def wait(self, condition, timeout_s=120):
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), self._tail()

    def _tail(self):
        return "\n".join(Path(spec.log).read_text()[-2000:] for spec in self.specs.values())

    def phases(self, name):
        return [event["object"]["status"]["phase"] for _, event in self.history(name)]

    def wait_all(self, names, phase, timeout_s):
        """Until each pod has come to a phase."""
        for name in names:
            self.wait(lambda name=name: phase in self.phases(name)[-1:], timeout_s)

    def wait_phase(self, name, *phases):
        self.wait(lambda: self.phases(name)[-1:] and self.phases(name)[-1] in phases)
        return self.history(name)[-1][1]["object"]
