"""What flytekit did with a container's time, from the lines that it prints.

flytekit times its own steps and prints a line at the end of each at level INFO, e.g.
`Execute user level code. [Time: 0.072359s]` (`FK/core/utils.py`, `timeit`). A step within another
is printed before it. Clocks are not needed: the order in which flytekit takes its steps is fixed
(load the task, download and translate inputs, run the user's function, translate and upload
outputs), so what is printed between the inputs' translation and the end of the user's function was
the function's own doing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_flyteperf.analyze.stamps import duration_ns
from pytest_flyteperf.model import UserParts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.documents import PodLogDocument
    from pytest_flyteperf.analyze.pods import Pod

FUNCTION = "Execute user level code"
LOAD = ("Load task", "Load map task", "Download distribution")
_TRANSLATED = "Translate literal to python value"
_DOWNLOAD = "Download data to local from "
_UPLOAD = "Upload data to "

_STEP = re.compile(r'^(?:\[flytekit\] |\{.*"message": ")(.+)\. \[Time: (\d+\.\d{6}s)\]"?\}?$')


def user_parts(logs: Iterable[PodLogDocument], pods: Iterable[Pod]) -> UserParts | None:
    """The time of these pods' containers by what flytekit did; None where no container tells.

    A container tells if it printed how long the user's function took and if both of its stamps are
    known. What the steps leave of the container's time is `rest_ns`.
    """
    steps = {log.pod: _steps(log.log) for log in logs}
    told = silent = whole = 0
    sums = [0, 0, 0, 0]
    for pod in pods:
        if pod.started is None or pod.finished is None:
            continue
        ran = pod.finished.point - pod.started.point
        parts = _parts(steps.get(pod.name, []))
        if parts is None or sum(parts) > ran:
            silent += 1
            continue
        told += 1
        whole += ran
        sums = [one + part for one, part in zip(sums, parts, strict=True)]
    if not told:
        return None
    load, download, function, upload = sums
    return UserParts(
        containers=told,
        silent=silent,
        load_ns=load,
        download_ns=download,
        function_ns=function,
        upload_ns=upload,
        rest_ns=whole - sum(sums),
    )


def _steps(log: str) -> list[tuple[str, int]]:
    found = (_STEP.match(line) for line in log.splitlines())
    return [(step[1], duration_ns(step[2])) for step in found if step]


def _parts(steps: list[tuple[str, int]]) -> tuple[int, int, int, int] | None:
    """Load, download, function, upload in nanoseconds."""
    names = [name for name, _ in steps]
    if FUNCTION not in names:
        return None
    ran = names.index(FUNCTION)
    begun = names.index(_TRANSLATED) if _TRANSLATED in names[:ran] else ran
    return (
        sum(ns for name, ns in steps[:begun] if name in LOAD),
        sum(ns for name, ns in steps[:begun] if name.startswith(_DOWNLOAD)),
        steps[ran][1],
        sum(ns for name, ns in steps[ran:] if name.startswith(_UPLOAD)),
    )
