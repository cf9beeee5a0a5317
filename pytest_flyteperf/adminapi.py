"""Channels to FlyteAdmin: plain gRPC, or as flytekit's configuration file says.

TLS, client credentials, PKCE and what else flytekit can log in with are flytekit's own; its client
is left out, because it repeats every refused call.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from pytest_flyteperf.errors import DeploymentError, UsageError

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""A closure may be larger than gRPC's default of 4 MiB."""
DIRECT = ("grpc.enable_http_proxy", 0)


def plain(endpoint: str) -> Any:
    """A channel without TLS, past any proxy: to this machine, or into a cluster's network."""
    return grpc.insecure_channel(endpoint, [*UNLIMITED, DIRECT])


def configured(config: str | Path | None, endpoint: str | None, *, insecure: bool | None) -> Any:
    """Flytekit's `PlatformConfig` of a file, or without one what flytekit finds by itself.

    `endpoint` and `insecure` win over it where they are not None.

    Raises:
        UsageError: the file is none of flytekit's.
    """
    from flytekit.configuration import PlatformConfig

    platform = PlatformConfig.auto(None if config is None else str(config))
    if config is not None and platform == PlatformConfig():
        # Flytekit passes over what it cannot read.
        raise UsageError(f"{config}: says nothing of FlyteAdmin; give admin.endpoint there")
    if endpoint is not None:
        platform = replace(platform, endpoint=endpoint)
    return platform if insecure is None else replace(platform, insecure=insecure)


def logged_in(platform: Any) -> Any:
    """A channel that logs in as flytekit does, when FlyteAdmin first asks for it.

    Raises:
        DeploymentError: a certificate cannot be had.
    """
    from flytekit.clients import auth_helper

    try:
        channel = auth_helper.get_channel(platform, options=UNLIMITED)
    except OSError as error:
        raise DeploymentError(
            f"{platform.endpoint}: no certificate ({error}); check the endpoint, and caCertFilePath"
        ) from None
    channel = auth_helper.upgrade_channel_to_proxy_authenticated(platform, channel)
    return auth_helper.upgrade_channel_to_authenticated(platform, channel)


def open_channel(endpoint: str, config: str | None) -> Any:
    """A channel to an endpoint (host:port): plain, or by a configuration file of flytekit's."""
    if config is None:
        return plain(endpoint)
    return logged_in(configured(config, endpoint, insecure=None))


def login_failed(endpoint: str, error: Exception) -> DeploymentError:
    """What to raise where a call fails before it is one: authenticators raise what they like."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DeploymentError(f"{endpoint}: flytekit cannot log in ({reason})")
