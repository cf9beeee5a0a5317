"""What flytekit reads from environment and temporary folder when imported, read anew in a child."""

from __future__ import annotations

import asyncio
import tempfile

from flytekit import loggers
from flytekit.configuration import Config, DataConfig
from flytekit.core import context_manager, data_persistence
from flytekit.extend.backend import base_connector

# Opened when imported; an epoll that processes share is none of theirs.
base_connector.local_connector_loop.close()


def configure() -> None:
    """Set flytekit's loggers, event loop, file access and context as a fresh import would."""
    base_connector.local_connector_loop = asyncio.new_event_loop()
    for logger in (loggers.logger, loggers.user_space_logger, loggers.developer_logger):
        logger.handlers.clear()
    loggers.initialize_global_loggers()
    _set_default_sandbox(tempfile.mkdtemp(prefix="flyte"))
    folder = tempfile.mkdtemp(prefix="flyte-")
    provider = data_persistence.FileAccessProvider(
        local_sandbox_dir=f"{folder}/sandbox",
        raw_output_prefix=f"{folder}/raw",
        data_config=DataConfig.auto(),
    )
    data_persistence.flyte_tmp_dir = folder
    data_persistence.default_local_file_access_provider = provider
    context_manager.default_local_file_access_provider = provider
    context_manager.FlyteContextManager.initialize()


def _set_default_sandbox(folder: str) -> None:
    """Replace the folder that flytekit made when imported, the default of a dataclass's field."""
    stale = Config.local_sandbox_path
    make = Config.__init__
    make.__defaults__ = tuple(folder if d == stale else d for d in make.__defaults__ or ())
    Config.local_sandbox_path = folder
