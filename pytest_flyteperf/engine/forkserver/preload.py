"""Imports what a task touches at run time, before any child is forked."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
from pathlib import Path

from pytest_flyteperf.errors import ClusterError

MODULES = (
    "flytekit",
    "flytekit.bin.entrypoint",
    "flytekit.core.array_node_map_task",
    "flytekit.core.python_auto_container",
    "aiobotocore.session",
    "aiobotocore.endpoint",
    "aiobotocore.httpsession",
    "botocore.auth",
    "botocore.handlers",
    "fsspec.implementations.local",
    "pytest_flyteperf.engine.forkserver.fresh",
    "pytest_flyteperf.engine.forkserver.steps",
    "s3fs",
)
"""
What `sys.modules` holds after real tasks, at the level where each entry pulls in the rest.
Modules that start threads when imported (numpy by OpenBLAS) are left out: a process forks safely
only while it has one thread.
"""


def preload(scratch: Path) -> None:
    """Import MODULES and freeze what they left, so that children share its pages.

    Args:
        scratch: folder for the files that flytekit makes while it is imported.

    Raises:
        ClusterError: a module is missing, or importing started a thread.
    """
    project = {"", str(Path.cwd())}
    sys.path[:] = [entry for entry in sys.path if entry not in project]
    tempfile.tempdir = str(scratch)
    # Without it flytekit takes itself to be at a terminal and sets up a coloured log.
    os.environ["FLYTE_INTERNAL_EXECUTION_ID"] = "preload"
    try:
        for module in MODULES:
            importlib.import_module(module)
    except ImportError as error:
        raise ClusterError(
            f"fork server: {sys.executable} cannot import {error.name}: {error}; "
            "install pytest-flyteperf and flytekit into the environment that runs the tests"
        ) from error
    finally:
        del os.environ["FLYTE_INTERNAL_EXECUTION_ID"]
        tempfile.tempdir = None
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise ClusterError(
            f"fork server: importing flytekit started {threads - 1} more threads, and only a "
            "process of one thread forks safely; look for a flytekit plugin that starts them"
        )
    gc.collect()
    gc.freeze()
