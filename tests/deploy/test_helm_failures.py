"""helm as it fails: a program on PATH that behaves like it."""

from __future__ import annotations

import stat

import pytest

from pytest_flyteperf.deploy import helm, manifests, onto, release
from pytest_flyteperf.errors import ClusterError, DeploymentError, UsageError
from tests.doubles.kube import FakeKube

CHART = "name: flyte-binary\nversion: 0.1.10"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make `helm`: what it does when it is not asked for its version."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(script):
        path = folder / "helm"
        path.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo v3.22.0 && exit\n{script}\n')
        path.chmod(stat.S_IRWXU)

    make(f"echo '{CHART}'")
    return make


def prepare(chart="flyte-binary", flyte="v1.16.8", **more):
    images = {"task_image": None, "store_image": "s:1", "database_image": "postgres:15"}
    return helm.prepare(flyte, chart=chart, **(images | more))


@pytest.mark.usefixtures("program")
def test_a_release_of_a_chart_by_name():
    request = prepare("flyte-binary@v1.16.8")

    assert request.chart == ("flyte-binary", "--repo", helm.REPOSITORY, "--version", "v1.16.8")
    assert request.chart_name == "flyte-binary 0.1.10"
    assert request.images[0] == "cr.flyte.org/flyteorg/flyte-binary-release:v1.16.8"


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"chart": "flyte"}, "--flyteperf-chart flyte: neither a folder, a tgz nor one"),
        ({"images": "admin=a:1"}, "admin is none of flyte-binary 0.1.10's: flyte"),
        ({"images": "flyte=a"}, "flyte=a: give COMPONENT=REPOSITORY:TAG"),
        ({"flyte": "../flyte"}, "--flyteperf-flyte ../flyte: a cluster runs images"),
        ({"database_image": "host:1/postgres"}, "host:1/postgres: give it with its tag"),
    ],
)
def test_what_cannot_be_is_refused(more, says):
    with pytest.raises(UsageError) as refusal:
        prepare(**more)
    assert says in str(refusal.value)


@pytest.mark.usefixtures("program")
def test_a_folder_without_a_chart_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no Chart\.yaml"):
        prepare(str(tmp_path))


def test_a_missing_helm_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="helm: not on PATH; install it"):
        prepare()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'WARNING: x' >&2; echo 'Error: looks like\nno repo' >&2; exit 1", "no repo"),
        ("exit 3", "helm show: exit code 3"),
        ("echo '{half: a'", "flyte-binary: tells no name and version of a chart"),
        ("echo '[]'", "flyte-binary: tells no name and version of a chart"),
    ],
)
def test_helms_own_failure_is_told_in_one_line(program, script, says):
    program(script)

    with pytest.raises(DeploymentError) as failure:
        prepare()
    assert says in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_helm_that_hangs_is_ended(program, monkeypatch):
    monkeypatch.setattr(release, "HELM_S", 0.3)
    program("while :; do :; done")

    with pytest.raises(DeploymentError, match=r"helm show: took longer than"):
        prepare()


def test_a_flyte_that_helm_cannot_take_off_is_not_called_gone(program, tmp_path, capsys):
    program("echo 'Error: clusterroles is forbidden' >&2; exit 1")
    asked = ("--flyte=v1", "--chart=c", "--store-image=s", "--database-image=d")
    with FakeKube() as kube:
        kube.put("/api/v1/namespaces", manifests.namespace("flyte", "flyteperf-1"))
        where = (f"--kubeconfig={kube.kubeconfig(tmp_path)}", "--jaeger-image=none")

        ended = onto.main([*where, *asked, "down", "flyteperf-1", str(tmp_path)])

        assert ended == 1
        assert ("/api/v1/namespaces", "flyte") in kube.objects
    assert capsys.readouterr().out.splitlines()[-1] == "helm uninstall: clusterroles is forbidden"
