"""Clusters that a program of the user's makes: k3d, terraform, whatever has a kubeconfig.

`PROGRAM up NAME FOLDER` makes a cluster of that name and writes `FOLDER/kubeconfig`, and, where
signed addresses of its object store name a port of this machine, `FOLDER/forwards`: a line
`NAMESPACE/SERVICE:PORT PORT` for each port that has to lead into the cluster;
`PROGRAM describe NAME FOLDER` prints one line that says what it is, for baselines' keys;
`PROGRAM down NAME FOLDER` deletes it, and succeeds where it is gone. FOLDER is the cluster's own,
for what the program wants to keep. `down` is written into the journal before `up` is run: a killed
run's cluster is deleted by the next start, or by `flyteperf reap`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.engine.journal import Journal, Undo
from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.engine.reap import reap_cluster
from pytest_flyteperf.errors import ClusterError, UsageError
from pytest_flyteperf.forward import Service
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Cluster, Frozen, ObjectStore
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.existing import UNKNOWN, Wish, chosen, write_private
from pytest_flyteperf.provision.layout import CLUSTER_FILE, HANDOVER_S, layout_of
from pytest_flyteperf.provision.owner import (
    await_supervisor,
    create,
    launch_supervisor,
    write_whole,
)
from pytest_flyteperf.provision.supervised import clusters_dir, ensure, usable
from pytest_flyteperf.provision.told import run_told

if TYPE_CHECKING:
    from pytest_flyteperf.provision.layout import Layout

KIND = "provisioned"
"""What such clusters are called, whoever made them."""
COMMAND = "command:"
INSTALLED = "provisioner:"
GROUP = "pytest_flyteperf.provisioners"
"""Entry points of this group are functions that return a program and its first arguments."""
LONGEST_S = 3600.0
"""Longest that `up` and `down` may take each: clouds take a quarter of an hour."""
DESCRIBE_S = 60.0
KUBECONFIG = "kubeconfig"
FORWARDS = "forwards"
_OWN = "provisioner"
"""The program's folder, in the data of the cluster's."""


class Provisioner(Frozen, frozen=True):
    """A program that makes clusters."""

    argv: tuple[str, ...]
    name: str = ""
    """What users call it; its file's name without."""
    makes: str = "cluster"

    @property
    def called(self) -> str:
        """How it is named to users."""
        return self.name or Path(self.argv[0]).name

    @property
    def digest(self) -> str:
        """Tells programs apart."""
        return hashlib.sha256(msgspec.json.encode(self.argv)).hexdigest()[:8]


def find_provisioner(cluster: str, root: Path) -> Provisioner:
    """The program that a value of `--flyteperf-cluster` stands for.

    Args:
        cluster: `command:PROGRAM`, with arguments as a shell would split them, or
            `provisioner:NAME`, what an installed package brings along.
        root: where a relative path starts from.

    Raises:
        UsageError: it stands for none.
    """
    if cluster.startswith(INSTALLED):
        return _installed(cluster.removeprefix(INSTALLED))
    try:
        first, *more = shlex.split(cluster.removeprefix(COMMAND))
    except ValueError as error:
        raise UsageError(f"--flyteperf-cluster {cluster}: give a program ({error})") from None
    program = root / Path(first).expanduser()
    if not (program.is_file() and os.access(program, os.X_OK)):
        raise UsageError(f"--flyteperf-cluster {cluster}: {program} is no program")
    return Provisioner(argv=(str(program.absolute()), *more))


def _installed(name: str) -> Provisioner:
    for entry in entry_points(group=GROUP, name=name):
        try:
            return Provisioner(argv=tuple(map(str, entry.load()())))
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"provisioner {name} ({entry.value}): {reason}") from error
    raise UsageError(f"--flyteperf-cluster {INSTALLED}{name}: no package brings this provisioner")


def up(
    provisioner: Provisioner, project: Path, progress: Progress = silent, *, keep: bool = False
) -> Cluster:
    """Return the running cluster of this provisioner and project, creating it if there is none.

    As with a local cluster the caller must hold it soon, or it is deleted; with `keep` it stays.

    Raises:
        ClusterError: it cannot be created; nothing of it is left.
    """

    def start(directory: Path, *, keep: bool) -> Cluster:
        layout = create(directory)
        try:
            return _create(provisioner, layout, progress, keep=keep)
        except BaseException:
            # Nothing of a start that failed or was interrupted stays.
            reap_cluster(directory)
            raise

    return ensure(_directory(provisioner, project), start, progress, keep=keep)


def find(provisioner: Provisioner, project: Path) -> Cluster | None:
    """Return the running cluster of this provisioner and project, if there is one."""
    return usable(_directory(provisioner, project))


def forwards(cluster: Cluster) -> dict[str, int]:
    """Services of the cluster, and the ports of this machine that have to lead to them."""
    return _read_forwards(layout_of(Path(cluster.directory)).data / _OWN)


def _read_forwards(own: Path) -> dict[str, int]:
    path = own / FORWARDS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        told = dict(line.split() for line in lines if line.strip())
        found = {service: int(port) for service, port in told.items()}
    except FileNotFoundError:
        return {}
    except ValueError:
        raise ClusterError(f"{path}: give lines NAMESPACE/SERVICE:PORT PORT") from None
    if wrong := next((service for service in found if Service.parse(service) is None), None):
        raise ClusterError(f"{path}: {wrong} is no NAMESPACE/SERVICE:PORT")
    return found


def _directory(provisioner: Provisioner, project: Path) -> Path:
    place = "\0".join((sys.prefix, str(project.resolve()), str(clusters_dir())))
    return clusters_dir() / "-".join(
        (KIND, hashlib.sha256(place.encode()).hexdigest()[:8], provisioner.digest)
    )


def _create(provisioner: Provisioner, layout: Layout, progress: Progress, *, keep: bool) -> Cluster:
    name = f"flyteperf-{secrets.token_hex(4)}"
    program, makes = provisioner.called, provisioner.makes
    own = layout.data / _OWN
    own.mkdir(mode=0o700)
    Journal(layout.directory).write(
        Undo(
            thing=f"{makes} {name} of {program}",
            argv=(*provisioner.argv, "down", name, str(own)),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            patience_s=LONGEST_S,
        )
    )

    def run(verb: str, doing: str, most_s: float) -> str:
        return run_told(
            (*provisioner.argv, verb, name, str(own)),
            what=f"{program} {verb}",
            log=Path(layout.log(program)),
            beat=Beat(progress, f"{program}: {doing}"),
            most_s=most_s,
            environment={CLUSTER_MARKER: layout.cluster_id},
        )

    run("up", f"creating the {makes}", LONGEST_S)
    if not (own / KUBECONFIG).is_file():
        raise ClusterError(f"{program} up: left no {own / KUBECONFIG}")
    _read_forwards(own)
    config, _ = chosen(Wish(kubeconfig=str(own / KUBECONFIG)))
    kubeconfig = layout.credentials / KUBECONFIG
    write_private(kubeconfig, config)
    what = run("describe", f"describing the {makes}", DESCRIBE_S)
    with launch_supervisor(layout, keep=keep) as supervisor:
        await_supervisor(supervisor, layout)
    with Control(str(layout.control)) as control, KubeApi.from_kubeconfig(kubeconfig) as api:
        control.attach(f"pid {os.getpid()}")
        version = api.request("GET", "/version")["gitVersion"]
        cluster = Cluster(
            kind=KIND,
            name=name,
            directory=str(layout.directory),
            kubeconfig=str(kubeconfig),
            store=ObjectStore(endpoint="", access_key="", secret_key="", bucket=""),
            distribution=f"{what or program}, Kubernetes {version}",
            blob_store=UNKNOWN,
            control_socket=str(layout.control),
        )
        write_whole(layout.directory / CLUSTER_FILE, msgspec.json.encode(cluster))
        control.detach(HANDOVER_S)
    return cluster
