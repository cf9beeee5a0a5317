"""What all tests share: a temporary folder that ends with them, and a longest time for each."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried",
    deadline=None,  # other processes share the machine
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")
LONGEST_S = 900
"""Of a test without a mark of its own. Benchmarks take as long as their sizes do."""


def pytest_configure(config):
    system = tempfile.gettempdir()
    own = tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True)
    config.add_cleanup(own.cleanup)
    lent = pytest.MonkeyPatch()
    config.add_cleanup(lent.undo)  # mutmut runs pytest again in the same process
    # Folders of tests stay where pytest keeps those of the last runs.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", system)
    lent.setenv("TMPDIR", own.name)
    lent.setattr(tempfile, "tempdir", own.name)
    # A shell that starts them in the background has them ignore Ctrl-C, and all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        ours = item.path.is_relative_to(Path(__file__).parent)
        if ours and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST_S))
