"""Cluster and Flyte, brought up and taken down: what the plugin and the CLI share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus

from pytest_flyteperf.engine.build import Engine, is_program
from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.execute import leavings
from pytest_flyteperf.forward import reached
from pytest_flyteperf.kinds import Kind, Local, choose, of
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Cluster, Deployment
from pytest_flyteperf.progress import Progress
from pytest_flyteperf.provision import supervised
from pytest_flyteperf.settings import Settings


class Stack:
    """One cluster and one Flyte on it, as the settings say."""

    def __init__(
        self, settings: Settings, progress: Progress, *, on: Cluster | None = None
    ) -> None:
        """As the settings say, or of the kind of a cluster that an earlier stage handed over."""
        self._settings = settings
        self._progress = progress
        self._kind: Kind = choose(settings, progress) if on is None else of(on, settings, progress)
        self.control: Control | None = None
        """The lease on the cluster while it is held."""

    @property
    def engine(self) -> Engine:
        """The embedded engine's programs, built if they are not.

        Raises:
            BuildError: they cannot be built.
        """
        return Local(self._settings, self._progress).request.engine

    def ensure(self) -> None:
        """Check what was asked for and build it, if it is not built.

        Raises:
            UsageError: there is no such Flyte, or it cannot take the configuration.
            BuildError: it cannot be built.
        """
        self._kind.ensure()

    @contextmanager
    def cluster(self, who: str) -> Iterator[Cluster]:
        """A running cluster, held while in the block.

        Raises:
            ClusterError: it does not come up.
        """
        cluster = self._kind.up()
        with self.held(cluster, who):
            yield cluster

    @contextmanager
    def held(self, cluster: Cluster, who: str) -> Iterator[None]:
        """Hold a running cluster while in the block, if it is one that ends when nobody does.

        Raises:
            ClusterError: it is gone.
        """
        if cluster.control_socket is None:
            yield
            return
        with supervised.hold(cluster, who) as control, leavings.removed_with(cluster.directory):
            self.control = control
            try:
                yield
            finally:
                self.control = None

    @contextmanager
    def deployment(self, cluster: Cluster) -> Iterator[Deployment]:
        """A running Flyte on the held cluster; it ends with the cluster.

        Raises:
            DeploymentError: it does not come up.
        """
        with reached(self._kind.deploy(cluster, self.control)) as deployment:
            yield deployment

    def renew(self, cluster: Cluster, control: Control | None) -> Deployment:
        """Start this Flyte anew, in place of the one that runs on a cluster held by `control`.

        Raises:
            ClusterError: the cluster is not held, or its Flyte is not ours.
            DeploymentError: it does not come up.
        """
        return self._kind.renew(cluster, control)

    def fresh(self, deployment: Deployment) -> Deployment:
        """The same Flyte with an engine anew, where it is ours alone; else as it runs.

        FlytePropeller keeps counters of each node that it ever ran: after a few wide workflows its
        page of metrics has 20 MB, and what a case costs depends on those before it.

        Raises:
            DeploymentError: it does not come up again.
        """
        alone = self.control is not None and len(self.control.status().leases) == 1
        if self.control is None or not alone or not isinstance(self._kind, Local):
            return deployment
        return self._kind.restart(deployment.cluster, self.control)

    def find(self) -> Cluster | None:
        """The cluster of these settings and this project, if it is up; starts nothing."""
        return self._kind.find()

    def machine_lock(self, who: str) -> AbstractContextManager[object]:
        """The lock that lets one repeat or block run at a time, again and again.

        On this machine; on an existing cluster, which others may use, also there.
        """
        return self._kind.lock(who)


def check_comparison(settings: Settings) -> None:
    """Refuse two Flytes that do not share what they are measured with, or that are none.

    Raises:
        UsageError: with the reference that is wrong.
    """
    if settings.base is None or settings.cluster != "local":
        return  # elsewhere each side is an image, with its own FlyteAdmin
    base, head = (is_program(flyte) for flyte in (settings.base, settings.flyte))
    if base != head:
        program, other = sorted((settings.base, settings.flyte), key=is_program, reverse=True)
        raise UsageError(
            f"{program} has a FlyteAdmin of its own, {other} a stand-in: that would be their "
            "difference; compare two `flyte` programs, or two of releases and checkouts"
        )


def missing(definitions: Sequence[str], cluster: Cluster) -> Iterator[str]:
    """Custom resource definitions that a cluster does not have, of those that are asked for.

    Raises:
        KubeError: its API server does not answer.
    """
    if not definitions:
        return
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as kube:
        for name in definitions:
            try:
                kube.raw(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
            except KubeError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                yield name
