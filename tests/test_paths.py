from pathlib import Path

import pytest

from pytest_flyteperf.paths import cache_dir, state_dir


@pytest.mark.parametrize(
    ("environ", "cache", "state"),
    [
        ({}, "~/.cache/pytest-flyteperf", "~/.local/state/pytest-flyteperf"),
        (
            {"XDG_CACHE_HOME": "/x/c", "XDG_STATE_HOME": "/x/s"},
            "/x/c/pytest-flyteperf",
            "/x/s/pytest-flyteperf",
        ),
        (
            {"XDG_CACHE_HOME": "rel", "XDG_STATE_HOME": ""},
            "~/.cache/pytest-flyteperf",
            "~/.local/state/pytest-flyteperf",
        ),
        (
            {"FLYTEPERF_CACHE": "/c", "FLYTEPERF_STATE": "~/s", "XDG_CACHE_HOME": "/x"},
            "/c",
            "~/s",
        ),
    ],
)
def test_own_variables_win_over_xdg_and_relative_xdg_counts_for_nothing(environ, cache, state):
    assert cache_dir(environ) == Path(cache).expanduser()
    assert state_dir(environ) == Path(state).expanduser()


def test_a_relative_folder_of_ones_own_is_made_absolute():
    assert cache_dir({"FLYTEPERF_CACHE": "here"}) == Path.cwd() / "here"
