"""When a FlyteAdmin answers, and what it says of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc

from pytest_flyteperf.adminapi import login_failed, open_channel
from pytest_flyteperf.errors import DeploymentError

if TYPE_CHECKING:
    from pytest_flyteperf.progress import Beat

READY_S = 60.0
STAND_IN = "stand-in"
"""What the stand-in for FlyteAdmin says of its build."""


def await_admin(endpoint: str, beat: Beat, flyte_config: str | None = None) -> tuple[str, str]:
    """Wait until FlyteAdmin answers; return what it says of its version and its build.

    Raises:
        DeploymentError: it does not answer in time, or does not let us in.
    """
    from flyteidl.admin import version_pb2
    from flyteidl.service import admin_pb2_grpc

    with open_channel(endpoint, flyte_config) as channel:
        beat.tick("waiting for FlyteAdmin")
        try:
            answer = admin_pb2_grpc.AdminServiceStub(channel).GetVersion(
                version_pb2.GetVersionRequest(), timeout=READY_S, wait_for_ready=True
            )
        except grpc.RpcError as error:
            raise DeploymentError(
                f"{endpoint}: FlyteAdmin does not answer within {READY_S:.0f} s "
                f"({error.code().name}: {json.dumps(error.details())})"
            ) from None
        except Exception as error:
            raise login_failed(endpoint, error) from error
    told = answer.control_plane_version
    return str(told.Version), str(told.Build)
