from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.engine.kubelet import logs
from pytest_flyteperf.engine.kubelet.pods import Metadata, Pod

names = st.text(max_size=400)


@given(names, names, names)
def test_a_log_stays_in_its_folder_whatever_the_name(tmp_path_factory, namespace, pod, container):
    folder = tmp_path_factory.getbasetemp()
    path = logs.log_path(folder, Pod(Metadata(name=pod, namespace=namespace)), container)

    assert path.parent == folder
    assert path.name.endswith(".log")
    assert len(os.fsencode(path.name)) < 255


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"", ""),
        (b"one\ntwo\n", "one\ntwo"),
        (b"x\n" * 100, "\n".join("x" * 80)),
        (b"y" * 5000, "y" * 2048),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_tail_keeps_kubernetes_limits(tmp_path, written, read):
    (tmp_path / "log").write_bytes(written)

    assert read == logs.tail(tmp_path / "log")


def test_an_absent_log_has_no_tail(tmp_path):
    assert logs.tail(tmp_path / "none") == ""


@pytest.fixture
def ten_logs(tmp_path):
    for place in range(10):
        log = tmp_path / f"{place}.log"
        log.write_bytes(b"x" * 100)
        os.utime(log, ns=(place, place))
    (tmp_path / "other").write_bytes(b"x" * 1000)
    return tmp_path


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_task_told_of_flytekit_goes_with_its_log(ten_logs):
    for place in (0, 9):
        (ten_logs / f"{place}.steps.json").touch()
    logs.prune(ten_logs, files=1)

    assert kept(ten_logs) == ["9.log", "9.steps.json", "other"]


def test_the_newest_files_are_kept(ten_logs):
    assert logs.prune(ten_logs, files=2) == 8
    assert kept(ten_logs) == ["8.log", "9.log", "other"]


def test_the_newest_bytes_are_kept(ten_logs):
    assert logs.prune(ten_logs, size=350) == 7
    assert kept(ten_logs) == ["7.log", "8.log", "9.log", "other"]


def test_a_thousand_wide_map_is_kept_whole():
    assert logs.KEPT_FILES > 3000
