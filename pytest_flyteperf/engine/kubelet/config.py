"""The kubelet's configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class KubeletConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the provisioner tells the kubelet, as JSON."""

    kubeconfig: str
    forkserver_socket: str
    log_dir: str
    scratch_dir: str
    """Each pod has a temporary folder there; its path is short."""
    slots: int
    """Pods that run at once."""
    memory_bytes: int
    """What the memory requests of running pods may add up to."""
    node_name: str
    ready_file: str
    environment: dict[str, str] = {}
    """Set in every task, below the pod's own."""


def load_config(path: Path) -> KubeletConfig:
    """Read the configuration.

    Raises:
        UsageError: the file cannot be read or does not hold a configuration.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=KubeletConfig)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name a readable file") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}; correct the kubelet's configuration") from error
