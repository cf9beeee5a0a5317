"""Credentials of one cluster, made anew at each start and gone with its folder."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import secrets
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 365
_USER = "flyteperf"
_HOSTS = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of what proves who is who; each file is readable by its user alone."""

    ca: str
    """Certificate of the authority that signed the API server's."""
    serving: str
    serving_key: str
    account_key: str
    """Signs service account tokens."""
    account_public: str
    token: str
    """The bearer token of the only user."""
    tokens: str
    """The API server's list of that one token (`--token-auth-file`)."""
    access_key: str
    """Of the S3 gateway: the key itself."""
    secret_key: str


def create(folder: Path) -> Credentials:
    """Make the credentials of one cluster in a folder that exists.

    P-256 throughout: its keys are made in a millisecond, where RSA's take up to a second.
    """
    ca_key, ca = _authority()
    key, certificate = _serving(ca_key, ca)
    account = ec.generate_private_key(ec.SECP256R1())
    public = account.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    token = secrets.token_urlsafe(32)
    return Credentials(
        ca=_write(folder / "ca.crt", ca.public_bytes(Encoding.PEM)),
        serving=_write(folder / "serving.crt", certificate.public_bytes(Encoding.PEM)),
        serving_key=_write(folder / "serving.key", _pem(key)),
        account_key=_write(folder / "accounts.key", _pem(account)),
        account_public=_write(folder / "accounts.pub", public),
        token=_write(folder / "token", token.encode()),
        tokens=_write(folder / "tokens.csv", f"{token},{_USER},{_USER},system:masters\n".encode()),
        access_key=f"flyteperf{secrets.token_hex(6)}",
        secret_key=secrets.token_urlsafe(32),
    )


def write_kubeconfig(path: Path, server: str, credentials: Credentials) -> str:
    """Write a kubeconfig (JSON, which is YAML) for the cluster alone."""
    authority = base64.b64encode(Path(credentials.ca).read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _USER,
        "contexts": [{"name": _USER, "context": {"cluster": _USER, "user": _USER}}],
        "clusters": [
            {
                "name": _USER,
                "cluster": {"server": server, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": _USER, "user": {"token": Path(credentials.token).read_text("ascii")}}],
    }
    return _write(path, json.dumps(config, indent=2).encode())


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    name = _name("flyteperf authority")
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _serving(
    ca_key: ec.EllipticCurvePrivateKey, ca: x509.Certificate
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, _HOSTS)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(_name("kube-apiserver"), ca.subject, key)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> str:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)
    return str(path)
