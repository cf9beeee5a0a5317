"""The rig's own rules, on any machine: what fails is one line, and undoing has time of its own."""

from __future__ import annotations

import sys
import time

import pytest

from tests.kind.rig import command, host
from tests.kind.rig.command import RigError, run


def python(code, **how):
    return run(sys.executable, "-c", code, **how)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit('E: no\\nE: Unable to fetch archives')", "ended with 1: E: Unable to"),
        ("raise SystemExit(3)", "ended with 3: "),
    ],
)
def test_a_program_that_fails_is_one_line(code, says):
    with pytest.raises(RigError) as failure:
        python(code)
    assert says in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_program_that_is_missing_or_hangs_is_one_line():
    with pytest.raises(RigError, match=r"^/no/such: No such file or directory$"):
        run("/no/such")
    with pytest.raises(RigError, match="took longer than"):
        python("while True: pass", most_s=0.2)


def test_without_time_nothing_is_begun_but_what_was_done_is_undone(monkeypatch):
    monkeypatch.setattr(command, "_DEADLINE", time.monotonic())

    with pytest.raises(RigError, match="no time left for python"):
        python("print(1)")
    assert python("print(1)", undoes=True) == "1\n"


def test_only_what_came_meanwhile_is_taken_from_the_packet_filter(monkeypatch):
    before = ["-P FORWARD ACCEPT", "-N MINE", "-A FORWARD -j MINE"]
    after = ["-P FORWARD DROP", *before[1:], "-N DOCKER", "-A FORWARD -o br-1 -j DOCKER"]
    called = []
    monkeypatch.setattr(host, "_rules", lambda _: after)
    monkeypatch.setattr(host, "_iptables", lambda *arguments: called.append(arguments))

    host._restore("filter", before)

    assert called == [
        ("filter", "-D", "FORWARD", "-o", "br-1", "-j", "DOCKER"),
        ("filter", "-X", "DOCKER"),
        ("filter", "-P", "FORWARD", "ACCEPT"),
    ]
