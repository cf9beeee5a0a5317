"""A signal ends the run, whatever was imported: not one test of it, to go on with the next."""

from __future__ import annotations

import signal

import pytest

from pytest_flyteperf.termination import TERMINATED, terminable


def of_flytekit(*_):
    raise SystemExit(1)


@pytest.fixture
def handler():
    """Somebody's handler of Ctrl-C, as flytekit sets its own when it is imported."""
    before = signal.signal(signal.SIGINT, of_flytekit)
    yield of_flytekit
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_run_though_flytekit_would_end_a_test(handler):
    with pytest.raises(KeyboardInterrupt), terminable():
        signal.raise_signal(signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is handler


def test_sigterm_ends_the_run_with_its_code():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(pytest.exit.Exception) as ended, terminable():
        signal.raise_signal(signal.SIGTERM)

    assert ended.value.returncode == TERMINATED
    assert signal.getsignal(signal.SIGTERM) is before
