"""The code of workflows, sent to where their tasks run: flytekit's fast registration.

A container's image has flytekit and what else tasks import; the project's own modules, those that
this process has imported from outside its installation, travel as one archive in the object store.
An archive is named by its content, so unchanged code is sent once.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import sys
import sysconfig
import tarfile
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_flyteperf.adminapi import open_channel
from pytest_flyteperf.errors import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.model import Deployment

FOLDER = "/root"
"""Where a task's container unpacks the archive; flytekit puts it on the path."""
PREFIX = "flyteperf-code"
_OURS = "pytest_flyteperf"
_MOST_BYTES = 64 << 20
_DIGITS = 16


def import_roots() -> list[str]:
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


def send(deployment: Deployment) -> str:
    """Send the project's modules to the deployment's object store; return where the archive is.

    Raises:
        RegistrationError: it is too large, or the store does not take it.
    """
    archive = pack(import_roots())
    name = f"{hashlib.sha256(archive).hexdigest()[:_DIGITS]}.tar.gz"
    return _put(deployment, name, archive)


def pack(roots: list[str]) -> bytes:
    """The modules imported from these folders, as a gzipped tar that depends on content alone.

    Raises:
        RegistrationError: it is larger than a project's code is.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, path in sorted(_modules(roots).items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    if plain.tell() > _MOST_BYTES:
        raise RegistrationError(
            f"{plain.tell() >> 20} MiB of modules are imported from {', '.join(roots)}; "
            "import less, or install what is not the workflow's own"
        )
    return gzip.compress(plain.getvalue(), mtime=0)


def _modules(roots: list[str]) -> dict[str, Path]:
    """Files of imported modules by their place below the first root that holds them."""
    found: dict[str, Path] = {}
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or not str(file).endswith(".py") or name.partition(".")[0] == _OURS:
            continue
        path = Path(file).resolve()
        # A module's name says how deep below its root it lies.
        depth = len(name.split(".")) + (path.name == "__init__.py")
        root = path.parents[depth - 1] if depth <= len(path.parents) else None
        if root is not None and str(root) in roots:
            found.setdefault(str(path.relative_to(root)), path)
    return found


def _is_within(folder: Path, others: Iterable[Path]) -> bool:
    return any(folder.is_relative_to(other) for other in others)


_sent: dict[tuple[str, str], str] = {}
"""Archives that this process has sent, by FlyteAdmin's address and their name."""


def _put(deployment: Deployment, name: str, archive: bytes) -> str:
    known = (deployment.admin_endpoint, name)
    if known not in _sent:
        _sent[known] = _send(deployment, name, archive)
    return _sent[known]


def _send(deployment: Deployment, name: str, archive: bytes) -> str:
    into = _into_store if deployment.cluster.store.endpoint else _through_admin
    try:
        return into(deployment, name, archive)
    except Exception as error:
        raise RegistrationError(
            f"the workflows' code cannot be sent to the cluster: {' '.join(str(error).split())}"
        ) from error


def _into_store(deployment: Deployment, name: str, archive: bytes) -> str:
    """Put the archive into the deployment's own object store."""
    from pytest_flyteperf.execute.literals import file_access  # imports flytekit

    where = f"s3://{deployment.cluster.store.bucket}/{PREFIX}/{name}"
    access: Any = file_access(deployment)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, name)
        local.write_bytes(archive)
        access.put_data(str(local), where)
    return where


def _through_admin(deployment: Deployment, name: str, archive: bytes) -> str:
    """Ask FlyteAdmin for a place, as flytekit does, and put the archive there."""
    import urllib3
    from flyteidl.service import dataproxy_pb2, dataproxy_pb2_grpc

    digest = hashlib.md5(archive, usedforsecurity=False).digest()
    request = dataproxy_pb2.CreateUploadLocationRequest(
        project=deployment.project, domain=deployment.domain, filename=name, content_md5=digest
    )
    with open_channel(deployment.admin_endpoint, deployment.flyte_config) as channel:
        stub = dataproxy_pb2_grpc.DataProxyServiceStub(channel)
        place = stub.CreateUploadLocation(request, timeout=30)
    # FlyteAdmin names a length as well, but that of the digest; flytekit's own upload sets both.
    headers = {
        **place.headers,
        "Content-Length": str(len(archive)),
        "Content-MD5": base64.b64encode(digest).decode(),
    }
    answer = urllib3.request("PUT", place.signed_url, body=archive, headers=headers, retries=False)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise OSError(f"{place.native_url}: HTTP status {answer.status}")
    return str(place.native_url)
