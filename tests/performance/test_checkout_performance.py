"""How long a contributor waits between an edit of Flyte and a Flyte with it."""

from itertools import count

import pytest

from pytest_flyteperf.engine.build import MODULES, ensure_engine
from pytest_flyteperf.engine.golang import find_go, go_directive
from tests.e2e.checkout import ROUND, Checkout

pytestmark = pytest.mark.engine


def test_one_file_edited(benchmark, tmp_path):
    """From the edit of Propeller's controller to both programs built; budget 40 s on two cores."""
    go = find_go(go_directive(MODULES / "flyte" / "go.mod"))
    flyte = Checkout(tmp_path / "flyte", go.module_cache, "v1.16.8")
    edited = tmp_path / "flyte" / ROUND.file
    numbers = count()

    def edit():
        with edited.open("a") as file:
            file.write(f"\nconst edited{next(numbers)} = 1\n")

    ensure_engine(flyte=str(flyte))
    benchmark.pedantic(lambda: ensure_engine(flyte=str(flyte)), setup=edit, rounds=3)
