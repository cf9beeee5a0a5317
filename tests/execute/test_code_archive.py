from __future__ import annotations

import gzip
import importlib
import io
import sys
import tarfile

import pytest

from pytest_flyteperf.execute import code


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose package and module have been imported."""
    (tmp_path / "flows_sent").mkdir()
    (tmp_path / "flows_sent/__init__.py").write_text("A = 1\n")
    (tmp_path / "flows_sent/deep.py").write_text("B = 2\n")
    (tmp_path / "alone_sent.py").write_text("C = 3\n")
    (tmp_path / "never_imported.py").write_text("D = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("flows_sent.deep", "alone_sent"):
        importlib.import_module(name)
    yield tmp_path
    for name in ("flows_sent", "flows_sent.deep", "alone_sent"):
        del sys.modules[name]


def contents(archive):
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
        return {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers()}


def test_imported_modules_travel_at_their_places(project):
    assert contents(code.pack([str(project)])) == {
        "alone_sent.py": "C = 3\n",
        "flows_sent/__init__.py": "A = 1\n",
        "flows_sent/deep.py": "B = 2\n",
    }


def test_the_archive_depends_on_content_alone(project):
    before = code.pack([str(project)])
    (project / "alone_sent.py").touch()
    assert code.pack([str(project)]) == before

    (project / "alone_sent.py").write_text("C = 5\n")
    assert code.pack([str(project)]) != before


def test_installed_modules_stay_at_home():
    names = contents(code.pack(code.import_roots()))
    assert not [name for name in names if name.startswith(("pytest/", "pytest_flyteperf/"))]
