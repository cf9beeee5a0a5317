"""The kinds of cluster, and how Flyte gets onto each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from pytest_flyteperf.deploy import processes
from pytest_flyteperf.deploy.request import Request, prepare
from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.errors import ClusterError, UsageError
from pytest_flyteperf.execute.code import import_roots
from pytest_flyteperf.model import Cluster, Deployment
from pytest_flyteperf.progress import Progress
from pytest_flyteperf.provision import local
from pytest_flyteperf.provision.machine_lock import MachineLock
from pytest_flyteperf.provision.programs import PYTHON
from pytest_flyteperf.settings import Settings

if TYPE_CHECKING:
    from pytest_flyteperf.deploy import external, helm
    from pytest_flyteperf.provision import command, kind


NOT_OURS = "its Flyte is not ours to replace; two are compared on a local cluster or on kind's"
"""Why no side of a comparison can be started there."""


class Kind(Protocol):
    """A kind of cluster and how Flyte gets onto it."""

    def ensure(self) -> None:
        """Check what was asked for; build what has to be built."""

    def up(self) -> Cluster:
        """Return the running cluster, starting it if there is none."""

    def find(self) -> Cluster | None:
        """Return the running cluster; start nothing."""

    def deploy(self, cluster: Cluster, control: Control | None) -> Deployment:
        """Return a running Flyte on the held cluster."""

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        """Start Flyte anew on a held cluster, in place of the one that runs."""

    def lock(self, who: str) -> AbstractContextManager[object]:
        """The lock under which a repeat is measured."""


class Local:
    """The embedded engine: everything a process of the user's."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        if self._request is None:
            self._request = prepare(
                self._settings.flyte,
                config=self._settings.config,
                database=self._settings.database,
                progress=self._progress,
            )
        return self._request

    def ensure(self) -> None:
        """Build the engine if it is not built."""
        self.request  # noqa: B018 # is made when first asked for

    def up(self) -> Cluster:
        settings = self._settings
        return local.up(self.request.engine, settings.root, self._progress, keep=settings.keep)

    def find(self) -> Cluster | None:
        return local.find(self.request.engine, self._settings.root)

    def deploy(self, cluster: Cluster, control: Control | None) -> Deployment:
        if control is None:
            raise ClusterError(f"{cluster.name}: is not held; enter `cluster` first")
        local.offer_imports(cluster, import_roots())
        return processes.deploy(cluster, control, self.request, self._progress)

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        if control is None:
            raise ClusterError(f"{cluster.name}: is not held; a fixture let it go")
        return processes.deploy(cluster, control, self.request, self._progress, fresh=True)

    def restart(self, cluster: Cluster, control: Control) -> Deployment:
        """Start the engine of the Flyte that runs anew; what FlyteAdmin knows stays."""
        return processes.restart(cluster, control, self.request, self._progress)

    def lock(self, who: str) -> AbstractContextManager[object]:
        return MachineLock(who, wait_s=self._settings.wait_s, progress=self._progress)


class KindCluster:
    """A cluster of kind's, with Flyte by its helm chart."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        # Imported only where it is asked for: the local engine starts without it.
        from pytest_flyteperf.deploy import helm as deploy
        from pytest_flyteperf.provision import kind as provision

        self._settings = settings
        self._progress = progress
        self._deploy = deploy
        self._provision = provision
        self._request: helm.Request | None = None

    def ensure(self) -> None:
        self._prepare()

    def up(self) -> Cluster:
        self._prepare()
        settings = self._settings
        return self._provision.up(self._wish(), settings.root, self._progress, keep=settings.keep)

    def find(self) -> Cluster | None:
        return self._provision.find(self._wish(), self._settings.root)

    def deploy(self, cluster: Cluster, control: Control | None) -> Deployment:
        del control  # Flyte's processes are the cluster's own
        return self._deploy.deploy(cluster, self._prepare(), self._progress)

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        del control
        return self._deploy.deploy(cluster, self._prepare(), self._progress, fresh=True)

    def lock(self, who: str) -> AbstractContextManager[object]:
        return MachineLock(who, wait_s=self._settings.wait_s, progress=self._progress)

    def _wish(self) -> kind.Wish:
        settings = self._settings
        return self._provision.Wish(
            node_image=settings.node_image, store_image=settings.store_image
        )

    def _prepare(self) -> helm.Request:
        """What is wrong with the request is said before a cluster is made."""
        if self._request is None:
            self._request = _by_helm(self._settings, self._progress)
        return self._request


class Existing:
    """A cluster of the user's with Flyte on it: measured, never changed."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        from pytest_flyteperf.provision import existing as provision

        self._settings = settings
        self._progress = progress
        self._provision = provision

    def ensure(self) -> None:
        """Nothing is built for it."""

    def up(self) -> Cluster:
        settings = self._settings
        wish = self._provision.Wish(kubeconfig=str(settings.kubeconfig), context=settings.context)
        return self._provision.open_cluster(wish)

    def find(self) -> Cluster | None:
        return None  # it is not ours to stop

    def deploy(self, cluster: Cluster, control: Control | None) -> Deployment:
        from pytest_flyteperf.deploy import external

        del control
        return external.find(cluster, self._sought(cluster), self._progress)

    def _sought(self, cluster: Cluster) -> external.Sought:
        """Which Flyte is meant, and how it is to be used."""
        from pytest_flyteperf.deploy import external

        del cluster  # it says nothing of its Flyte
        settings = self._settings
        return external.Sought(
            project=settings.project,
            domain=settings.domain,
            endpoint=settings.endpoint,
            flyte_config=str(settings.flyte_config) if settings.flyte_config else None,
            task_image=settings.task_image,
            jaeger=settings.traces or settings.jaeger,
            prometheus=settings.prometheus,
        )

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        del control
        raise ClusterError(f"{cluster.name}: {NOT_OURS}")

    def lock(self, who: str) -> AbstractContextManager[object]:
        settings = self._settings
        namespace = f"{settings.project}-{settings.domain}"
        return _lease(self.up(), namespace, who, settings, self._progress)


class Provisioned(Existing):
    """A cluster that a program of the user's makes, Flyte included, and deletes."""

    def ensure(self) -> None:
        """Check that there is such a program."""
        self._provisioner()

    def up(self) -> Cluster:
        from pytest_flyteperf.provision import command

        settings = self._settings
        return command.up(self._provisioner(), settings.root, self._progress, keep=settings.keep)

    def find(self) -> Cluster | None:
        from pytest_flyteperf.provision import command

        return command.find(self._provisioner(), self._settings.root)

    def lock(self, who: str) -> AbstractContextManager[object]:
        settings = self._settings
        cluster = self.find()
        if cluster is None:
            raise ClusterError("the provisioned cluster is gone; start it again")
        namespace = f"{settings.project}-{settings.domain}"
        return _lease(cluster, namespace, who, settings, self._progress)

    def _sought(self, cluster: Cluster) -> external.Sought:
        from pytest_flyteperf.provision import command

        return replace(super()._sought(cluster), forwards=command.forwards(cluster))

    def _provisioner(self) -> command.Provisioner:
        from pytest_flyteperf.provision import command

        return command.find_provisioner(self._settings.cluster, self._settings.root)


class Installed(Provisioned):
    """A cluster of the user's that has no Flyte: one is put there, and taken off again."""

    def ensure(self) -> None:
        """Check what was asked for; nothing is changed yet."""
        _by_helm(self._settings, self._progress)

    def _sought(self, cluster: Cluster) -> external.Sought:
        from pytest_flyteperf.deploy import helm, manifests, onto

        sought = super()._sought(cluster)
        if sought.task_image is None:
            sought = replace(sought, task_image=helm.TASK_IMAGE)
        if sought.jaeger is None and self._settings.jaeger_image != onto.NONE:
            where = f"{manifests.NAMESPACE}/{manifests.JAEGER}:{manifests.JAEGER_QUERY}"
            sought = replace(sought, jaeger=where)
        return sought

    def _provisioner(self) -> command.Provisioner:
        from pytest_flyteperf.provision import command

        settings = self._settings
        asked = {
            "kubeconfig": settings.kubeconfig,
            "context": settings.context,
            "flyte": settings.flyte,
            "chart": settings.chart,
            "images": settings.images,
            "values": settings.values,
            "config": settings.config,
            "store-image": settings.store_image,
            "database-image": settings.database_image,
            "jaeger-image": settings.jaeger_image,
        }
        given = [f"--{name}={value}" for name, value in asked.items() if value is not None]
        return command.Provisioner(
            argv=(*PYTHON, "pytest_flyteperf.deploy.onto", *given), name="helm", makes="Flyte"
        )


class Given:
    """A deployment that a file describes, whoever made it: the stages before are left out."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._deployment = read_stage(Path(str(settings.deployment)), Deployment)

    def ensure(self) -> None:
        """Nothing is built for it."""

    def up(self) -> Cluster:
        return self._deployment.cluster

    def find(self) -> Cluster | None:
        return None  # it is not ours to stop

    def deploy(self, cluster: Cluster, control: Control | None) -> Deployment:
        del control
        if cluster.kind == "local":
            local.offer_imports(cluster, import_roots())
        return self._deployment

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        del control
        raise ClusterError(f"{cluster.name}: {NOT_OURS}")

    def lock(self, who: str) -> AbstractContextManager[object]:
        deployment = self._deployment
        if deployment.cluster.kind in ("existing", "provisioned"):
            cluster, namespace = deployment.cluster, deployment.namespace
            return _lease(cluster, namespace, who, self._settings, self._progress)
        return MachineLock(who, wait_s=self._settings.wait_s, progress=self._progress)


def _by_helm(settings: Settings, progress: Progress) -> helm.Request:
    """The Flyte that settings ask for, by its helm chart; checked, nothing installed."""
    from pytest_flyteperf.deploy import helm

    return helm.prepare(
        settings.flyte,
        chart=settings.chart,
        task_image=settings.task_image,
        store_image=settings.store_image,
        database_image=settings.database_image,
        values_file=settings.values,
        config=settings.config,
        images=settings.images,
        progress=progress,
    )


def _lease(
    cluster: Cluster, namespace: str, who: str, settings: Settings, progress: Progress
) -> AbstractContextManager[object]:
    """The lock of a cluster that others may use too, from wherever."""
    from pytest_flyteperf.provision.lease import LeaseLock

    return LeaseLock(cluster.kubeconfig, namespace, who, wait_s=settings.wait_s, progress=progress)


Stage = TypeVar("Stage", Cluster, Deployment)


def read_stage(path: Path, stage: type[Stage]) -> Stage:
    """Read what an earlier stage handed over.

    Raises:
        UsageError: the file is not there, or holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=stage)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give what the stage before printed") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: is no {stage.__name__.lower()}: {error}") from None


def choose(settings: Settings, progress: Progress) -> Kind:
    """The kind of cluster that settings ask for."""
    if settings.deployment is not None:
        return Given(settings, progress)
    if settings.install:
        return Installed(settings, progress)
    return KINDS.get(settings.cluster, Provisioned)(settings, progress)


def of(cluster: Cluster, settings: Settings, progress: Progress) -> Kind:
    """The kind of a cluster that an earlier stage handed over."""
    return KINDS.get(cluster.kind, Provisioned)(settings, progress)


KINDS: dict[str, Callable[[Settings, Progress], Kind]] = {
    "local": Local,
    "kind": KindCluster,
    "existing": Existing,
}
"""By the value of `--flyteperf-cluster`."""
