import base64
from pathlib import Path

import pytest
import yaml

from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import Access, KubeApi, KubeError
from tests.doubles.kube import PODS, FakeKube, pod


def kubeconfig(folder, *, user=None, cluster=None):
    path = folder / "kubeconfig"
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other"}},
            {"name": "one", "cluster": {"server": "https://one/", **(cluster or {})}},
        ],
        "users": [{"name": "me", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class TestAccess:
    def test_is_that_of_the_current_context(self, tmp_path):
        assert Access.from_kubeconfig(kubeconfig(tmp_path)).server == "https://one"

    def test_a_token_is_a_bearer(self, tmp_path):
        access = Access.from_kubeconfig(kubeconfig(tmp_path, user={"token": "t"}))

        assert access.headers == {"Authorization": "Bearer t"}

    def test_a_token_file_lies_beside_the_kubeconfig(self, tmp_path):
        (tmp_path / "token").write_text("t\n")
        access = Access.from_kubeconfig(kubeconfig(tmp_path, user={"tokenFile": "token"}))

        assert access.headers == {"Authorization": "Bearer t"}

    def test_certificates_are_inline_or_files(self, tmp_path):
        (tmp_path / "key").write_text("KEY")
        user = {"client-certificate-data": encoded("CERT"), "client-key": "key"}
        cluster = {"certificate-authority-data": encoded("CA")}
        access = Access.from_kubeconfig(kubeconfig(tmp_path, user=user, cluster=cluster))

        assert (access.client_certificate, access.client_key, access.ca) == ("CERT", "KEY", "CA")

    def test_an_exec_plugin_is_asked(self, tmp_path):
        plugin = tmp_path / "plugin"
        plugin.write_text('#!/bin/sh\necho "{\\"status\\": {\\"token\\": \\"$1-$WHO\\"}}"\n')
        plugin.chmod(0o700)
        user = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(plugin),
                "args": ["from"],
                "env": [{"name": "WHO", "value": "plugin"}],
            }
        }
        access = Access.from_kubeconfig(kubeconfig(tmp_path, user=user))

        assert access.headers == {"Authorization": "Bearer from-plugin"}

    def test_a_missing_plugin_is_one_line(self, tmp_path):
        user = {"exec": {"apiVersion": "v1", "command": "no-such-plugin"}}
        with pytest.raises(ClusterError, match="credential plugin no-such-plugin failed"):
            Access.from_kubeconfig(kubeconfig(tmp_path, user=user))

    def test_an_absent_file_is_one_line(self, tmp_path):
        with pytest.raises(ClusterError, match="No such file or directory; give a readable"):
            Access.from_kubeconfig(tmp_path / "none")

    @pytest.mark.parametrize("text", ["", "a: [", "current-context: x", "[]", "\x00"])
    def test_what_is_no_kubeconfig_is_one_line(self, tmp_path, text):
        path = tmp_path / "kubeconfig"
        path.write_text(text)
        with pytest.raises(ClusterError, match="not a usable kubeconfig") as caught:
            Access.from_kubeconfig(path)
        assert "\n" not in str(caught.value)


class TestRequests:
    @pytest.fixture
    def kube(self):
        with FakeKube() as kube:
            yield kube

    @pytest.fixture
    def api(self, kube, tmp_path):
        with KubeApi.from_kubeconfig(kube.kubeconfig(tmp_path)) as api:
            yield api

    def test_carry_the_token(self, kube, api):
        api.list(PODS)

        assert kube.requests[-1][2] == "Bearer secret"

    def test_select_what_they_delete(self, kube, api):
        kube.put(PODS, pod("a", "mine"))
        kube.put(PODS, pod("b", "theirs"))
        api.delete(PODS, query={"labelSelector": "execution-id in (mine)"})

        assert [o["metadata"]["name"] for o in api.list(PODS)["items"]] == ["b"]

    def test_a_refusal_has_its_status_and_reason(self, kube, api):
        kube.forbidden = True
        with pytest.raises(KubeError, match="403 pods is forbidden") as caught:
            api.list(PODS)
        assert caught.value.status == 403

    def test_come_again_when_the_storage_of_a_resource_still_starts(self, kube, api):
        kube.busy = 2
        kube.put(PODS, pod("a", "mine"))

        assert [o["metadata"]["name"] for o in api.list(PODS)["items"]] == ["a"]
        assert [method for method, *_ in kube.requests] == ["GET"] * 3

    def test_a_server_that_is_away_is_one_line(self):
        with (
            KubeApi(Access(server="http://127.0.0.1:1")) as api,
            pytest.raises(KubeError, match="the Kubernetes API does not answer") as caught,
        ):
            api.list(PODS)
        assert caught.value.status is None


def test_credentials_for_tls_touch_no_disk_and_go():
    access = Access(server="https://one", client_certificate="CERT", client_key="KEY")
    with KubeApi(access) as api:
        options = api._pool.connection_pool_kw
        files = [Path(options[name]) for name in ("cert_file", "key_file")]
        assert [file.read_text() for file in files] == ["CERT", "KEY"]
        assert all("memfd" in str(file.readlink()) for file in files)
    assert not any(file.exists() and "memfd" in str(file.readlink()) for file in files)
