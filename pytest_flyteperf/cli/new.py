"""`flyteperf new`.

Examples:
  flyteperf new ingestion
  flyteperf new ingestion --folder perf
"""

from __future__ import annotations

import argparse
import keyword
from pathlib import Path

from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.errors import UsageError

TEMPLATE = '''\
import pytest
from flytekit import Resources, task, workflow


@task(requests=Resources(cpu="10m", mem="10Mi"))
def step(a: int) -> int:
    return a + 1


@workflow
def {case}(a: int) -> int:
    return step(a=a)


@pytest.mark.flyteperf(repeats={{"short": 3, "default": 10, "full": 30}})
def test_{case}(flyteperf):
    """Say here what it exercises, and whose trouble it guards."""
    assert flyteperf({case}, a=0) == 1
    assert flyteperf.shape.pods == 1
'''


def arguments(parser: argparse.ArgumentParser) -> None:
    """Name and folder."""
    parser.add_argument("case", metavar="CASE", help="name of the case, a Python name")
    parser.add_argument(
        "--folder", type=Path, default=Path("benchmarks"), help="where it goes (./benchmarks)"
    )
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Write a case that runs as it stands, to be changed."""
    case = given.case.removeprefix("test_")
    if not case.isidentifier() or keyword.iskeyword(case):
        raise UsageError(f"{given.case}: is no Python name; give one such as my_workflow")
    path = given.folder / f"test_{case}.py"
    try:
        given.folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(case=case))
    except FileExistsError as error:
        raise UsageError(f"{error.filename}: is there already; choose another name") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    if given.json:
        say_json({"case": case, "file": str(path)})
    else:
        say([f"{path} is written; run it: pytest {path} --flyteperf-short"])
    return 0
