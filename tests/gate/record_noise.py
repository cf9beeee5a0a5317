"""Record one session of noise: a fresh deployment, five cases, every canary; about eight minutes.

    python tests/gate/record_noise.py FOLDER

The machine should do nothing else, and sessions be spread over the hours that they shall stand for.
A run's folder comes to lie below FOLDER; `recorded_noise.py distil` makes a stored file of several.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SESSION = '''"""Cases of a session of noise; a repeat of the chain takes ten seconds."""

import pytest
from workflows.branch import branches_of
from workflows.chain import cached_chain_of, chain_of, echo_chain_of
from workflows.short_task import short_task


@pytest.mark.flyteperf(repeats=20, warmups=1)
def test_echo_chain(flyteperf):
    assert flyteperf(echo_chain_of(50), a=7) == 7


@pytest.mark.flyteperf(repeats=20, warmups=1)
def test_short_task(flyteperf):
    assert flyteperf(short_task, a=0) == 1


@pytest.mark.flyteperf(repeats=20, warmups=1)
def test_cached_chain(flyteperf):
    start = flyteperf.fresh_number
    assert flyteperf(cached_chain_of(10), a=start) == start + 10


@pytest.mark.flyteperf(repeats=20, warmups=1)
def test_branches(flyteperf):
    assert flyteperf(branches_of(5), a=7) == 7


@pytest.mark.flyteperf(repeats=10, warmups=1)
def test_chain(flyteperf):
    assert flyteperf(chain_of(10), a=0) == 10
'''


def main(folder: str) -> int:
    """Run the session below a folder; pytest's exit code."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "test_session.py").write_text(SESSION, encoding="utf-8")
    (place / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    paths = [str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_session.py"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
