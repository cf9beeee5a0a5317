from __future__ import annotations

import signal

import pytest

from pytest_flyteperf.engine.process import ProcessDeath, describe_exit, essence, tail


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), ""),
        (("", "  "), ""),
        (("starting", "listening"), "listening"),
        (("starting", "error: no such flag", "usage: ..."), "error: no such flag"),
        (("E1122 x.go:1] failed to list", "F1122 y.go:2] no etcd", "bye"), "F1122 y.go:2] no etcd"),
        (("write: no space left on device", "panic: nil"), "write: no space left on device"),
        (('{"level":"fatal","msg":"failed to commit","error":"disk"}',), "failed to commit: disk"),
        (
            ('{"level":"fatal","msg":"failed","error":"write: no space left on device","stackt',),
            "failed: write: no space left on device",
        ),
        (('{"level":"fatal"}',), '{"level":"fatal"}'),
    ],
)
def test_the_most_telling_line_is_picked(lines, expected):
    assert essence(lines) == expected


def test_the_essence_is_short():
    assert len(essence(("error " * 1000,))) == 300


def test_ends_are_named():
    assert describe_exit(3) == "exited with 3"
    assert describe_exit(-signal.SIGKILL) == "killed by SIGKILL"
    assert describe_exit(-99) == "killed by signal 99"


def test_a_death_is_one_line():
    assert ProcessDeath(name="etcd", exit=1, tail=("a", "b")).describe() == "etcd: exited with 1: b"
    assert ProcessDeath(name="x", problem="not ready within 2 s").describe() == (
        "x: not ready within 2 s"
    )


def test_the_tail_of_a_huge_log_is_read_quickly(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 79 + b"\n" + b"line\n" * 100_000 + b"\xff last")

    assert tail(log, 2) == ("line", "\ufffd last")
    assert tail(tmp_path / "none") == ()
