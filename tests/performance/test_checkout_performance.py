"""How long a contributor waits between an edit of Flyte and a Flyte with it."""

from itertools import count

import pytest

from pytest_flyteperf.engine.build import ensure_engine
from tests.e2e.checkout import ROUND, Checkout

pytestmark = pytest.mark.engine


def test_one_file_edited(benchmark, tmp_path):
    """From the edit of Propeller's controller to both programs built; budget 40 s on two cores."""
    flyte = Checkout.released(tmp_path / "flyte")
    edited = tmp_path / "flyte" / ROUND.file
    numbers = count()

    def edit():
        with edited.open("a") as file:
            file.write(f"\nconst edited{next(numbers)} = 1\n")

    ensure_engine(flyte=str(flyte))
    benchmark.pedantic(lambda: ensure_engine(flyte=str(flyte)), setup=edit, rounds=3)
