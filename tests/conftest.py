"""What the tests, and all that they start, put into the temporary folder ends with the tests."""

import os
import signal
import tempfile

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried",
    deadline=None,  # other processes share the machine
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")


def pytest_configure(config):
    system = tempfile.gettempdir()
    own = tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True)
    config.add_cleanup(own.cleanup)
    # Folders of tests stay where pytest keeps those of the last runs.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", system)
    os.environ["TMPDIR"] = tempfile.tempdir = own.name
    # A shell that starts them in the background has them ignore Ctrl-C, and all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
