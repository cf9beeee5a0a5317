"""Pods as far as the kubelet reads them."""

from __future__ import annotations

import msgspec

from pytest_flyteperf.engine.kubelet.quantity import parse_quantity


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    pass


class FieldRef(_Object, frozen=True):
    """A field of the pod."""

    field_path: str


class EnvSource(_Object, frozen=True):
    """Where a variable's value comes from; the kubelet knows fields of the pod alone."""

    field_ref: FieldRef | None = None


class EnvVar(_Object, frozen=True):
    """One variable of a container."""

    name: str
    value: str | None = None
    value_from: EnvSource | None = None


class Resources(_Object, frozen=True):
    """What a container asks for."""

    requests: dict[str, str] | None = None


class Container(_Object, frozen=True):
    """One container of a pod."""

    name: str
    image: str = ""
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[msgspec.Raw, ...] | None = None
    resources: Resources = Resources()
    termination_message_policy: str = "File"
    restart_policy: str | None = None


class Metadata(_Object, frozen=True):
    """Names and times of a pod."""

    name: str = ""
    """Empty, as is the uid, in a watch's bookmark alone."""
    uid: str = ""
    namespace: str = ""
    resource_version: str = "0"
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Spec(_Object, frozen=True):
    """What is to run."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    node_name: str = ""
    active_deadline_seconds: int | None = None
    termination_grace_period_seconds: int = 30
    service_account_name: str = ""
    scheduling_gates: tuple[msgspec.Raw, ...] | None = None


class Status(_Object, frozen=True):
    """What has become of it."""

    phase: str = "Pending"
    start_time: str | None = None


class Pod(_Object, frozen=True):
    """A pod."""

    metadata: Metadata
    spec: Spec = Spec()
    status: Status = Status()

    @property
    def uid(self) -> str:
        """The pod's identity; a name can be given again."""
        return self.metadata.uid

    @property
    def title(self) -> str:
        """Namespace and name, for messages."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def path(self) -> str:
        """Path of the pod in the API."""
        return f"/api/v1/namespaces/{self.metadata.namespace}/pods/{self.metadata.name}"

    @property
    def deleting(self) -> bool:
        """Whether its deletion was asked for."""
        return self.metadata.deletion_timestamp is not None

    @property
    def init_containers(self) -> tuple[Container, ...]:
        """Containers that run one after another before the others."""
        return self.spec.init_containers or ()

    @property
    def creation_order(self) -> tuple[str, int]:
        """Sorts unbound pods as they were created; the timestamp alone has whole seconds."""
        return self.metadata.creation_timestamp or "", int(self.metadata.resource_version)

    def requests(self) -> dict[str, int]:
        """Resources the scheduler counts, in thousandths.

        The sum over containers, or an init container's if that is larger.
        """
        total: dict[str, int] = {}
        for container in self.spec.containers:
            for name, quantity in (container.resources.requests or {}).items():
                total[name] = total.get(name, 0) + parse_quantity(quantity)
        for container in self.init_containers:
            for name, quantity in (container.resources.requests or {}).items():
                total[name] = max(total.get(name, 0), parse_quantity(quantity))
        return total


class _ListMeta(_Object, frozen=True):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class PodList(_Object, frozen=True):
    """One page of a list of pods."""

    metadata: _ListMeta
    items: tuple[Pod, ...] = ()


decode_pod = msgspec.json.Decoder(Pod).decode
decode_list = msgspec.json.Decoder(PodList).decode
