"""Pictures and tables of docs/ownership.md are those that the recordings give."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_ownership", DOCS / "draw_ownership.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_current(drawing):
    stale = [
        name
        for name, recording in drawing.PICTURES.items()
        if (DOCS / "ownership" / f"{name}.svg").read_text()
        != drawing.picture(drawing.RECORDINGS / recording)
    ]

    assert stale == [], "run: python docs/draw_ownership.py"


def test_every_table_is_current_and_every_picture_shown(drawing):
    text = (DOCS / "ownership.md").read_text()

    for name, recording in drawing.PICTURES.items():
        assert drawing.table(drawing.RECORDINGS / recording) in text, name
        assert f"(ownership/{name}.svg)" in text
