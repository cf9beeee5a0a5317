"""`python -m pytest_flyteperf.engine.kubelet --config FILE`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from http import HTTPStatus
from pathlib import Path

from pytest_flyteperf.engine.kubelet import logs
from pytest_flyteperf.engine.kubelet.admission import Capacity
from pytest_flyteperf.engine.kubelet.api import Api, ApiError, Unreachable
from pytest_flyteperf.engine.kubelet.config import load_config
from pytest_flyteperf.engine.kubelet.kubeconfig import Endpoint, load_endpoint
from pytest_flyteperf.engine.kubelet.kubelet import Kubelet
from pytest_flyteperf.engine.kubelet.node import register_node
from pytest_flyteperf.errors import ClusterError, FlyteperfError

_API_WAIT_S = 60
_API_PAUSE_S = 0.2


def main() -> int:
    """Register the node and run its pods until SIGTERM."""
    parser = argparse.ArgumentParser(prog="flyteperf-kubelet", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON, see KubeletConfig")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        return _run(arguments.config)
    except FlyteperfError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the supervisor shows a dead process's log
        return error.exit_code


def _run(path: Path) -> int:
    config = load_config(path)
    endpoint = load_endpoint(Path(config.kubeconfig))
    folder = Path(config.log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    logs.prune(folder)
    capacity = Capacity(os.cpu_count() or 1, config.memory_bytes, config.slots)
    _register(endpoint, config.node_name, capacity)
    ready = Path(config.ready_file)
    kubelet = Kubelet(config, capacity, endpoint, lambda: _announce(ready))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: kubelet.stop())
    try:
        kubelet.run()
    finally:
        ready.unlink(missing_ok=True)
    return 0


def _register(endpoint: Endpoint, name: str, capacity: Capacity) -> None:
    """Register the node, waiting for an API server that is still starting."""
    api = Api(endpoint)
    deadline = time.monotonic() + _API_WAIT_S
    while True:
        try:
            register_node(api, name, capacity)
        except (ApiError, *Unreachable) as error:
            if time.monotonic() > deadline or (
                isinstance(error, ApiError) and error.code == HTTPStatus.UNAUTHORIZED
            ):
                raise ClusterError(
                    f"kubelet: {endpoint.host}:{endpoint.port} does not take node {name}: {error}; "
                    "see the API server's log"
                ) from error
            time.sleep(_API_PAUSE_S)
        else:
            api.close()
            return


def _announce(ready: Path) -> None:
    fresh = ready.with_name(f"{ready.name}.{os.getpid()}")
    fresh.write_text(f"{os.getpid()}\n")
    fresh.replace(ready)


if __name__ == "__main__":
    sys.exit(main())
