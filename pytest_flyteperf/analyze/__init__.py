"""From a recording to measures: pure functions of the files in one folder.

`analyze_recording(folder)` is the door; `explain` says in words where the time went;
`scaling` says how measures grow with a case's size;
`fold_recording` and `fold_file` fold Propeller's logs.
Nothing here reads a clock, an environment variable, a cluster or a network; two runs over the same
folder give the same measures.
"""

from __future__ import annotations

from pytest_flyteperf.analyze.explain import explain
from pytest_flyteperf.analyze.fold import Folded, FoldRow, fold_file, fold_recording, render
from pytest_flyteperf.analyze.measures import analyze_recording
from pytest_flyteperf.analyze.scaling import scaling

__all__ = [
    "FoldRow",
    "Folded",
    "analyze_recording",
    "explain",
    "fold_file",
    "fold_recording",
    "render",
    "scaling",
]
