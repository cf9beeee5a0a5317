"""Engine, cluster and Flyte, brought up and taken down: what the plugin and the CLI share."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from pathlib import Path

from pytest_flyteperf.deploy import processes
from pytest_flyteperf.engine.build import Engine, is_program
from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.errors import ClusterError, UsageError
from pytest_flyteperf.execute import leavings
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Cluster, Deployment
from pytest_flyteperf.progress import Progress
from pytest_flyteperf.provision import local
from pytest_flyteperf.provision.machine_lock import MachineLock
from pytest_flyteperf.settings import Settings


class Stack:
    """One cluster and one Flyte on it, as the settings say."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._request: processes.Request | None = None
        self.control: Control | None = None
        """The lease on the cluster while it is held."""

    @property
    def engine(self) -> Engine:
        """The engine's programs, built if they are not.

        Raises:
            BuildError: they cannot be built.
        """
        return self._requested().engine

    def ensure(self) -> None:
        """Check what was asked for and build it, if it is not built.

        Raises:
            UsageError: there is no such Flyte, or it cannot take the configuration.
            BuildError: it cannot be built.
        """
        self._requested()

    @contextmanager
    def cluster(self, who: str) -> Iterator[Cluster]:
        """A running cluster, held while in the block.

        Raises:
            ClusterError: it does not come up.
        """
        cluster = local.up(
            self.engine, self._settings.root, self._progress, keep=self._settings.keep
        )
        with local.hold(cluster, who) as control, leavings.removed_with(cluster.directory):
            self.control = control
            try:
                yield cluster
            finally:
                self.control = None

    @contextmanager
    def deployment(self, cluster: Cluster) -> Iterator[Deployment]:
        """A running Flyte on the held cluster; it ends with the cluster.

        Raises:
            DeploymentError: it does not come up.
        """
        if self.control is None:
            raise ClusterError(f"{cluster.name}: is not held; enter `cluster` first")
        local.offer_imports(cluster, _import_roots())
        yield processes.deploy(cluster, self.control, self._requested(), self._progress)

    def renew(self, cluster: Cluster, control: Control) -> Deployment:
        """Start this Flyte anew, in place of the one that runs on a cluster held by `control`.

        Raises:
            DeploymentError: it does not come up.
        """
        return processes.deploy(cluster, control, self._requested(), self._progress, fresh=True)

    def find(self) -> Cluster | None:
        """The cluster of this engine and project, if it is up; starts nothing."""
        return local.find(self.engine, self._settings.root)

    def machine_lock(self, who: str) -> AbstractContextManager[object]:
        """The lock that lets one repeat or block run at a time on this machine, again and again."""
        return MachineLock(who, wait_s=self._settings.wait_s, progress=self._progress)

    def _requested(self) -> processes.Request:
        if self._request is None:
            self._request = processes.prepare(
                self._settings.flyte,
                config=self._settings.config,
                database=self._settings.database,
                progress=self._progress,
            )
        return self._request


def check_comparison(settings: Settings) -> None:
    """Refuse two Flytes that do not share what they are measured with, or that are none.

    Raises:
        UsageError: with the reference that is wrong.
    """
    if settings.base is None:
        return
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


def _import_roots() -> list[str]:
    """Folders that workflows may have been imported from: not Python's own, not site-packages.

    A folder within site-packages is one: an installed portfolio's.
    """
    paths = sysconfig.get_paths()
    packages = [Path(paths[kind]).resolve() for kind in ("purelib", "platlib")]
    python = [Path(p).resolve() for p in (paths["stdlib"], paths["platstdlib"], sys.base_prefix)]
    folders = [Path(entry or ".").resolve() for entry in sys.path]
    return [
        str(folder)
        for folder in dict.fromkeys(folders)
        if folder.is_dir()
        and folder not in packages
        and (_is_within(folder, packages) or not _is_within(folder, python))
    ]


def _is_within(folder: Path, others: Iterable[Path]) -> bool:
    return any(folder.is_relative_to(other) for other in others)
