"""A Flyte of doubles: a FlyteAdmin and a Kubernetes API that tell the same story."""

import struct
import time
from contextlib import ExitStack

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.model import (
    AdminKind,
    Cluster,
    Deployment,
    Environment,
    Machine,
    ObjectStore,
    Subject,
)
from tests.doubles.admin import FakeAdmin
from tests.doubles.kube import PODS, WORKFLOWS, FakeKube, flyteworkflow, pod


class FakeFlyte:
    """Executions end as `ends` says: a phase, or None for one that never ends by itself."""

    def __init__(self, folder):
        self.folder = folder
        self.admin = FakeAdmin()
        self.kube = FakeKube()
        self.ends = "SUCCEEDED"
        self.closure = {}
        self.outputs = {"o0": 1}
        self.traces = folder / "otlp.binpb"
        self.log = folder / "propeller.log"
        self.admin.on_create = self._created
        self.admin.on_terminate = self._terminated

    def __enter__(self):
        with ExitStack() as stack:
            stack.enter_context(self.admin)
            stack.enter_context(self.kube)
            self._stack = stack.pop_all()
        self.traces.touch()
        self.log.write_text("before\n")
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _created(self, request):
        name = request.name
        self.kube.put(WORKFLOWS, flyteworkflow(name))
        self.kube.put(PODS, pod(f"{name}-n0-0", name))
        with self.log.open("a") as log:
            log.write(f"evaluated {name}\n")
        if self.ends is not None:
            self.end(name)

    def end(self, name):
        """Let an execution end."""
        self.admin.put(name, self.ends, **self.closure)
        self.admin.give(name, **self.outputs)
        self.export_handle(name)
        self.kube.put(WORKFLOWS, flyteworkflow(name, terminated=True))

    def _terminated(self, name):
        self.export_handle(name)
        self.kube.delete(WORKFLOWS, name)

    def export_handle(self, name):
        """Append an export request with one handle of the execution, ended now."""
        request = ExportTraceServiceRequest()
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.name = "pkg.controller.Propeller/Handle"
        span.end_time_unix_nano = time.time_ns()
        attribute = span.attributes.add(key="exec_id")
        attribute.value.string_value = name
        data = request.SerializeToString()
        with self.traces.open("ab") as file:
            file.write(struct.pack(">dI", time.time(), len(data)) + data)

    def deployment(self, **changes):
        """Describe it as `deploy` would."""
        directory = self.folder / "cluster"
        directory.mkdir(exist_ok=True)
        cluster = Cluster(
            kind="local",
            name="double",
            directory=str(directory),
            kubeconfig=str(self.kube.kubeconfig(self.folder)),
            store=ObjectStore(
                endpoint="http://127.0.0.1:1",
                access_key="a",
                secret_key="s",  # noqa: S106 - nobody listens there
                bucket="my-s3-bucket",
            ),
            distribution="double",
            blob_store="double",
            traces=str(self.traces),
        )
        environment = Environment(
            cluster_kind="local",
            admin_kind=AdminKind.STAND_IN,
            distribution="double",
            blob_store="double",
            database="double",
            chart=None,
            machine=Machine(
                engine_digest=None, cpu_model="m", cpu_count=1, memory_class="1GiB", kernel="k"
            ),
        )
        return Deployment(
            **{
                "cluster": cluster,
                "subject": Subject(flyte="v1.16.8", digest="d"),
                "environment": environment,
                "admin_endpoint": self.admin.endpoint,
                "logs": {"propeller": str(self.log)},
                "trace_delay_s": 0.0,
                **changes,
            }
        )
