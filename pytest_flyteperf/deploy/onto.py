"""Flyte put onto a cluster that is there already, and taken off it again.

A provisioner's program, as `provision/command.py` calls it: what it makes is no cluster but a
Flyte, with database, object store and a Jaeger for its traces. It goes only onto a cluster that has
no Flyte: two would evaluate the same workflows. All that it makes is in namespaces that bear the
name it was called with, but for what Flyte makes for the whole cluster: `down` removes both, and
nothing that somebody else made.
"""

from __future__ import annotations

import argparse
import secrets
import socket
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.deploy import manifests
from pytest_flyteperf.deploy.definition import CRD
from pytest_flyteperf.deploy.helm import prepare
from pytest_flyteperf.deploy.leftovers import remove_unfinished
from pytest_flyteperf.deploy.release import DOMAIN, PROJECT, RELEASE, Access, install, run_helm
from pytest_flyteperf.errors import DeploymentError, FlyteperfError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Cluster, ObjectStore
from pytest_flyteperf.progress import Beat
from pytest_flyteperf.provision.command import FORWARDS, KIND, KUBECONFIG
from pytest_flyteperf.provision.existing import Wish, chosen, write_private
from pytest_flyteperf.provision.requirements import require_helm

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE = "none"
"""Given as an image: without."""
BUCKET = "my-s3-bucket"
_PARTS = "parts"
GONE_S = 120.0
_POLL_S = 0.5
_NAMESPACES = "/api/v1/namespaces"
_DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"
_WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/flyte-pod-webhook"
"""What Propeller makes for its secrets, by its default name."""
_OWN = (manifests.NAMESPACE, f"{PROJECT}-{DOMAIN}")
_FLYTES = tuple(f"{PROJECT}-{domain}" for domain in ("staging", "production"))
"""Namespaces that FlyteAdmin may make for the project's other domains."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; the last line says what went wrong."""
    given = _parser().parse_args(arguments)
    verbs = {"up": up, "describe": describe, "down": down}
    try:
        verbs[given.verb](given)
    except FlyteperfError as error:
        _say(str(error))
        return 1
    return 0


def up(given: argparse.Namespace) -> None:
    """Install Flyte on the cluster, and write what leads to it into the folder.

    Raises:
        FlyteperfError: it does not come up, or something of Flyte is there already.
    """
    request = prepare(
        given.flyte,
        chart=given.chart,
        task_image=None,
        store_image=given.store_image,
        database_image=given.database_image,
        values_file=given.values,
        config=given.config,
        images=given.images,
        progress=_say,
    )
    parts = (request.chart_name, given.store_image, given.database_image)
    (given.folder / _PARTS).write_text(", ".join(parts), encoding="utf-8")
    kubeconfig = given.folder / KUBECONFIG
    write_private(kubeconfig, chosen(Wish(given.kubeconfig, given.context))[0])
    store = f"{manifests.NAMESPACE}/{manifests.STORE}:{manifests.STORE_PORT}"
    port = _free_port()
    (given.folder / FORWARDS).write_text(f"{store} {port}\n", encoding="utf-8")
    traced = given.jaeger_image != NONE
    cluster = Cluster(
        kind=KIND,
        name=given.name,
        directory=str(given.folder),
        kubeconfig=str(kubeconfig),
        store=ObjectStore(
            endpoint=f"http://127.0.0.1:{port}",
            access_key=secrets.token_hex(8),
            secret_key=secrets.token_urlsafe(24),
            bucket=BUCKET,
            inside=f"http://{manifests.STORE}.{manifests.NAMESPACE}:{manifests.STORE_PORT}",
        ),
        distribution=KIND,
        blob_store=given.store_image,
        otlp_endpoint=(
            f"http://{manifests.JAEGER}.{manifests.NAMESPACE}:{manifests.JAEGER_OTLP}"
            if traced
            else None
        ),
    )
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        _take(api, given.name)
        if traced:
            manifests.apply(api, manifests.jaeger(given.jaeger_image))
        access = Access(database_password=secrets.token_urlsafe(24))
        install(cluster, request, access, given.name, api, Beat(_say, "deploying Flyte"))


def describe(given: argparse.Namespace) -> None:
    """Say what it is: part of the key of baselines."""
    parts = (given.folder / _PARTS).read_text(encoding="utf-8")
    _say(f"existing cluster, by helm {parts}")


def down(given: argparse.Namespace) -> None:
    """Take Flyte off the cluster, if this name put it there.

    Raises:
        FlyteperfError: something of it stays.
    """
    kubeconfig = given.folder / KUBECONFIG
    if not kubeconfig.is_file():
        return
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        if not _is_ours(api, _OWN[0], given.name):
            return
        _say("taking Flyte off the cluster")
        remove_unfinished(api)
        _uninstall(str(kubeconfig))
        for path in (_DEFINITION, _WEBHOOK):
            _delete(api, path)
        ours = [one for one in _OWN if _is_ours(api, one, given.name)]
        for namespace in (*_FLYTES, *reversed(ours)):
            _delete(api, f"{_NAMESPACES}/{namespace}")
        _await_gone(api, [*_FLYTES, *ours])


def _uninstall(kubeconfig: str) -> None:
    """Take the release off; `up` may not have come as far as to install it."""
    where = ("--namespace", manifests.NAMESPACE, "--kubeconfig", kubeconfig)
    try:
        run_helm(require_helm(), "uninstall", RELEASE, *where)
    except DeploymentError as error:
        if "not found" not in str(error):
            raise


def _take(api: KubeApi, name: str) -> None:
    """Make the namespaces ours, where nothing of Flyte is there."""
    if _exists(api, _DEFINITION):
        raise DeploymentError(
            f"the cluster has {CRD}, so a Flyte; measure it without --flyteperf-install"
        )
    taken = next((ns for ns in (*_OWN, *_FLYTES) if _exists(api, f"{_NAMESPACES}/{ns}")), None)
    if taken is not None:
        raise DeploymentError(f"the cluster has a namespace {taken}; --flyteperf-install makes it")
    for namespace in _OWN:
        api.request("POST", _NAMESPACES, body=manifests.namespace(namespace, name))


def _exists(api: KubeApi, path: str) -> bool:
    try:
        api.raw(path)
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


def _is_ours(api: KubeApi, namespace: str, name: str) -> bool:
    try:
        labels = api.request("GET", f"{_NAMESPACES}/{namespace}")["metadata"].get("labels") or {}
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return False
    return bool(labels.get(manifests.INSTANCE) == name)


def _delete(api: KubeApi, path: str) -> None:
    try:
        api.delete(path)
    except KubeError as error:
        # A namespace that is being deleted already is refused with a conflict.
        if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise


def _await_gone(api: KubeApi, namespaces: Sequence[str]) -> None:
    beat = Beat(_say, "taking Flyte off the cluster")
    deadline = time.monotonic() + GONE_S
    while left := [one for one in namespaces if _exists(api, f"{_NAMESPACES}/{one}")]:
        if time.monotonic() > deadline:
            raise DeploymentError(f"namespace {left[0]}: still there after {GONE_S:.0f} s")
        beat.tick(f"waiting for the end of namespace {left[0]}")
        time.sleep(_POLL_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _say(message: str, /) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--context")
    parser.add_argument("--flyte", required=True)
    parser.add_argument("--chart", required=True)
    parser.add_argument("--images")
    parser.add_argument("--values", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--store-image", required=True)
    parser.add_argument("--database-image", required=True)
    parser.add_argument("--jaeger-image", required=True)
    parser.add_argument("verb", choices=("up", "describe", "down"))
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
