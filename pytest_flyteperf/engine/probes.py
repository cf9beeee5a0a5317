"""Find out when a process is ready. A probe runs only while its process starts."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from pytest_flyteperf.engine.process import FileProbe, GrpcProbe, HttpProbe, Probe, TcpProbe

INTERVAL_S = 0.02
_PATIENCE_S = 2.0
"""How long one attempt may take."""
_SERVING = b"\x08\x01"
"""`HealthCheckResponse{status: SERVING}` (grpc/health/v1/health.proto)."""


async def until_ready(probe: Probe) -> None:
    """Return when the probe succeeds; give it a timeout from outside."""
    while not await _attempt(probe):  # noqa: ASYNC110 # other programs cannot set an event of ours
        await asyncio.sleep(INTERVAL_S)


async def _attempt(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            match probe:
                case FileProbe():
                    return os.path.exists(probe.path)  # noqa: ASYNC240, PTH110 # a stat is quick
                case TcpProbe():
                    return await _accepts(probe.address)
                case HttpProbe():
                    return await _answers_200(probe)
                case GrpcProbe():
                    return await asyncio.to_thread(_serves, probe)
                case _:
                    assert_never(probe)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _accepts(address: str) -> bool:
    if address.startswith("unix:"):
        _, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    return True


async def _answers_200(probe: HttpProbe) -> bool:
    url = urlsplit(probe.url)
    context = ssl.create_default_context(cafile=probe.ca) if url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=context)
    try:
        what = (url.path or "/") + (f"?{url.query}" if url.query else "")
        lines = [f"GET {what} HTTP/1.1", f"Host: {url.netloc}", "Connection: close"]
        if probe.token_file is not None:
            lines.append(f"Authorization: Bearer {_token(probe.token_file)}")
        writer.write("\r\n".join((*lines, "", "")).encode())
        status = await reader.readuntil(b"\r\n")
        return status.split()[1:2] == [b"200"]
    finally:
        writer.close()


def _token(path: str) -> str:
    return Path(path).read_text(encoding="ascii").strip()


def _serves(probe: GrpcProbe) -> bool:
    import grpc  # 40 ms and 10 MB, not paid by a supervisor that has no such probe

    name = probe.service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    with grpc.insecure_channel(probe.target) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(check(request, timeout=_PATIENCE_S / 2) == _SERVING)
        except grpc.RpcError:
            return False
