from __future__ import annotations

import ssl
import stat
from pathlib import Path

import msgspec
import pytest

from pytest_flyteperf.kubeapi import Access
from pytest_flyteperf.provision.credentials import create, write_kubeconfig


@pytest.fixture
def credentials(tmp_path):
    return create(tmp_path)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    """Let a client and a server shake hands in memory."""
    upstream, downstream = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(downstream, upstream, server_hostname=host),
        server.wrap_bio(upstream, downstream, server_side=True),
    ]
    while ends:
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)


def serving(credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.serving, credentials.serving_key)
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_servers_certificate_verifies_for_loopback(credentials, host):
    handshake(ssl.create_default_context(cafile=credentials.ca), serving(credentials), host)


def test_the_certificate_is_for_no_other_host(credentials):
    client = ssl.create_default_context(cafile=credentials.ca)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, serving(credentials), "127.0.0.2")


def test_another_clusters_certificate_is_refused(credentials, tmp_path):
    (tmp_path / "other").mkdir()
    client = ssl.create_default_context(cafile=create(tmp_path / "other").ca)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, serving(credentials), "127.0.0.1")


def test_only_the_user_can_read_them(credentials, tmp_path):
    write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", credentials)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"kubeconfig", "token", "serving.key", "accounts.key"} <= set(modes)


def test_each_cluster_has_its_own(credentials, tmp_path):
    (tmp_path / "other").mkdir()
    other = create(tmp_path / "other")

    for one, two in zip(
        msgspec.structs.astuple(credentials), msgspec.structs.astuple(other), strict=True
    ):
        secret = Path(one).read_bytes() if one.startswith("/") else one
        assert secret != (Path(two).read_bytes() if two.startswith("/") else two)


def test_the_kubeconfig_names_server_authority_and_token(credentials, tmp_path):
    path = write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", credentials)

    access = Access.from_kubeconfig(path)
    token = Path(credentials.token).read_text(encoding="ascii")
    assert access.server == "https://127.0.0.1:1"
    assert access.ca == Path(credentials.ca).read_text(encoding="ascii")
    assert list(access.headers.values()) == [f"Bearer {token}"]
    assert not access.insecure
