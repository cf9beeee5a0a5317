"""Flyte's image, built of a checkout by a program that behaves like docker."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pytest_flyteperf.deploy import images
from pytest_flyteperf.errors import ClusterError, UsageError
from tests.doubles.docker import FakeDocker

DIGEST = "sha256:0123456789abcdef0123"
BUILDS = f'echo "Step 1/2 : FROM scratch"; echo -n {DIGEST} > "$3"'


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "flyte"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    with FakeDocker(tmp_path) as daemon:
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        daemon.images[DIGEST] = {"Id": DIGEST}
        yield daemon


@pytest.fixture
def docker(tmp_path):
    """Make `docker`: what it does when it is asked to build."""

    def make(script):
        path = tmp_path / "docker"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        return str(path)

    return make


def test_a_checkouts_image_is_tagged_by_its_content(daemon, docker, checkout):
    told = []
    built = images.build(docker(BUILDS), checkout, told.append)

    assert built == ("pytest-flyteperf/flyte", "0123456789ab")
    assert daemon.tags == [(DIGEST, "pytest-flyteperf/flyte:0123456789ab")]
    assert told == [f"docker: building {checkout}"]


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'ERROR: failed to solve: no such stage'; echo bye; exit 1", "no such stage"),
        ("echo 'the --mount option requires BuildKit' >&2; exit 1", "requires BuildKit"),
        ("exit 3", "exit code 3"),
    ],
)
def test_a_dockerfile_that_fails_is_told_in_one_line(docker, checkout, script, says):
    with pytest.raises(ClusterError) as failure:
        images.build(docker(script), checkout, lambda _: None)

    said = str(failure.value)
    assert said.startswith(f"docker build {checkout} (all it said: ")
    assert said.endswith(says)
    assert "\n" not in said


@pytest.mark.usefixtures("daemon")
def test_a_build_that_hangs_is_ended(docker, checkout, monkeypatch):
    monkeypatch.setattr(images, "BUILD_S", 0.2)

    with pytest.raises(ClusterError, match="took longer than"):
        images.build(docker("while :; do :; done"), checkout, lambda _: None)


def test_a_docker_that_cannot_be_run_is_said(daemon, checkout):
    with pytest.raises(ClusterError, match="reinstall it"):
        images.build(str(Path(daemon.path).parent), checkout, lambda _: None)


def test_a_checkout_is_a_folder_with_a_dockerfile(checkout, tmp_path):
    assert images.checkout_of(str(checkout)) == checkout
    assert images.checkout_of("v1.16.8") is None
    with pytest.raises(UsageError, match="has no Dockerfile to build an image by"):
        images.checkout_of(str(tmp_path))
