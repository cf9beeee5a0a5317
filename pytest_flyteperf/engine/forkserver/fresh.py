"""What flytekit reads from environment and temporary folder when imported, read anew in a child."""

from __future__ import annotations

import asyncio
import logging
import os
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
    _print_times()
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


def _print_times() -> None:
    """Have flytekit print how long its steps took, and else no more than it would.

    The lines divide a container's time into download, user function and upload. flytekit makes
    them in any case and drops them at its default level; somebody's own level stands.
    """
    if loggers.LOGGING_ENV_VAR in os.environ:
        return
    loggers.logger.setLevel(logging.INFO)
    for handler in loggers.logger.handlers:
        handler.addFilter(_is_warning_or_time)


def _is_warning_or_time(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or ". [Time: " in record.getMessage()


def _set_default_sandbox(folder: str) -> None:
    """Replace the folder that flytekit made when imported, the default of a dataclass's field."""
    stale = Config.local_sandbox_path
    make = Config.__init__
    make.__defaults__ = tuple(folder if d == stale else d for d in make.__defaults__ or ())
    Config.local_sandbox_path = folder
