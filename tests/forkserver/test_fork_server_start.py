from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_flyteperf.engine.forkserver import preload, server
from pytest_flyteperf.errors import ClusterError


def start(*arguments, cwd, code=""):
    command = [sys.executable, "-m", "pytest_flyteperf.engine.forkserver", *arguments]
    if code:
        command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_socket_that_cannot_be_made_is_one_line(tmp_path):
    path = tmp_path / ("x" * 120)

    done = start("--socket", str(path), "--ready-file", str(tmp_path / "ready"), cwd=tmp_path)

    assert done.returncode == 4
    assert done.stderr.strip().splitlines()[-1].startswith(f"fork server: cannot listen on {path}")
    assert "Traceback" not in done.stderr


def test_a_file_of_the_project_hides_no_library(tmp_path):
    for name in ("flytekit", "s3fs", "fsspec", "random"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    path = tmp_path / ("x" * 120)  # ends right after the preload

    done = start("--socket", str(path), "--ready-file", str(tmp_path / "ready"), cwd=tmp_path)

    assert "imported" not in done.stderr
    assert done.returncode == 4


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(preload, "MODULES", ("no_such_library",))
    monkeypatch.setattr(sys, "path", list(sys.path))

    with pytest.raises(ClusterError, match="cannot import no_such_library"):
        preload.preload(tmp_path)


def test_a_library_that_starts_threads_is_refused(tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    code = (
        "import sys, pathlib; from pytest_flyteperf.engine.forkserver import preload;"
        f"sys.path.append({str(tmp_path)!r}); preload.MODULES = ('threaded',);"
        f"preload.preload(pathlib.Path({str(tmp_path)!r}))"
    )

    done = start(cwd="/", code=code)

    assert "importing flytekit started 1 more threads" in done.stderr


@pytest.mark.parametrize(("text", "count"), [("pgfault 3\noom_kill 7\n", 7), ("pgfault 3\n", None)])
def test_out_of_memory_kills_are_counted_where_the_kernel_tells(tmp_path, text, count):
    vmstat = tmp_path / "vmstat"
    vmstat.write_text(text)

    assert server.oom_kills(vmstat) == count
