"""Channels to FlyteAdmin: with and without TLS, and logged in, as flytekit's configuration says."""

import threading
import webbrowser
from pathlib import Path

import grpc
import keyring
import pytest
import urllib3
import yaml
from flyteidl.admin import version_pb2
from keyring.backends.null import Keyring

from pytest_flyteperf.collect import Admin
from pytest_flyteperf.collect.admin import Address
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.provision.credentials import create
from tests.doubles.admin import FakeAdmin
from tests.doubles.login import CLIENT, SECRET, Login


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch):
    """Neither the user's key ring nor variables of flytekit's are used."""
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    for name in ("FLYTECTL_CONFIG", "FLYTE_PLATFORM_URL"):
        monkeypatch.delenv(name, raising=False)
    yield
    keyring.set_keyring(before)


@pytest.fixture
def login():
    with Login() as login:
        yield login


@pytest.fixture
def config(tmp_path):
    """Write a configuration file of flytekit's."""

    def write(**admin):
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"admin": admin}))
        return str(path)

    return write


def version(endpoint, path):
    address = Address(admin_endpoint=endpoint, project="p", domain="d", flyte_config=path)
    with Admin(address) as admin:
        told = admin.call("GetVersion", version_pb2.GetVersionRequest())
    return told.control_plane_version.Version


class TestTls:
    @pytest.fixture
    def kept(self, tmp_path):
        return create(tmp_path)

    @pytest.fixture
    def admin(self, kept):
        pair = tuple(Path(path).read_bytes() for path in (kept.serving_key, kept.serving))
        with FakeAdmin(credentials=grpc.ssl_server_credentials([pair])) as admin:
            yield admin

    def test_is_taken_from_the_file(self, admin, kept, config):
        path = config(endpoint="elsewhere:1", insecure=False, caCertFilePath=kept.ca)

        assert version(admin.endpoint, path) == "v1.16.8"

    def test_may_go_unverified(self, admin, config):
        path = config(endpoint=admin.endpoint, insecure=False, insecureSkipVerify=True)
        # A certificate that is taken as it comes still has to name the host.
        assert version(admin.endpoint, path) == "v1.16.8"

    def test_of_an_unknown_authority_is_refused(self, admin, config):
        with pytest.raises(DeploymentError, match="GetVersion: UNAVAILABLE"):
            version(admin.endpoint, config(endpoint=admin.endpoint, insecure=False))

    def test_is_not_spoken_without_a_file(self, admin):
        with pytest.raises(DeploymentError, match="GetVersion: UNAVAILABLE"):
            version(admin.endpoint, None)

    def test_a_missing_authority_is_told(self, admin, config):
        path = config(endpoint=admin.endpoint, insecure=False, caCertFilePath="/nowhere/ca.crt")

        with pytest.raises(DeploymentError, match=r"no certificate .*No such file"):
            version(admin.endpoint, path)


class TestCredentials:
    @pytest.fixture
    def admin(self, login):
        with FakeAdmin(login=login) as admin:
            yield admin

    def test_of_a_client(self, admin, login, config, tmp_path):
        path = config(
            insecure=True,
            endpoint=admin.endpoint,
            authType="ClientSecret",
            clientId=CLIENT,
            clientSecretLocation=str(tmp_path / "secret"),
        )
        assert version(admin.endpoint, path) == "v1.16.8"
        assert login.granted == ["client_credentials"]

    def test_of_a_client_that_is_not_known(self, admin, config, tmp_path):
        path = config(
            insecure=True,
            endpoint=admin.endpoint,
            authType="ClientSecret",
            clientId="somebody",
            clientSecretLocation=str(tmp_path / "secret"),
        )
        with pytest.raises(DeploymentError, match="flytekit cannot log in") as refusal:
            version(admin.endpoint, path)
        assert "\n" not in str(refusal.value)

    def test_of_a_person_with_a_browser(self, admin, login, config, monkeypatch):
        def browse(url):
            threading.Thread(target=urllib3.request, args=("GET", url)).start()
            return True

        monkeypatch.setattr(webbrowser, "open_new_tab", browse)
        path = config(insecure=True, endpoint=admin.endpoint, authType="Pkce")

        assert version(admin.endpoint, path) == "v1.16.8"
        assert login.granted == ["authorization_code"]

    def test_are_not_asked_for_where_nobody_wants_them(self, config, login):
        with FakeAdmin() as admin:
            path = config(insecure=True, endpoint=admin.endpoint, authType="Pkce")
            assert version(admin.endpoint, path) == "v1.16.8"
        assert login.granted == []

    def test_that_nobody_gave_are_missed(self, admin):
        with pytest.raises(DeploymentError, match="GetVersion: UNAUTHENTICATED: no token"):
            version(admin.endpoint, None)


def test_a_file_that_is_none_of_flytekits_is_told(tmp_path):
    (tmp_path / "config.yaml").write_text("admin: [")

    with pytest.raises(UsageError, match=r"config\.yaml: says nothing of FlyteAdmin"):
        version("127.0.0.1:1", str(tmp_path / "config.yaml"))
