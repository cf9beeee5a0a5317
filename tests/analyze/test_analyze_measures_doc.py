"""docs/measures.md explains every metric, with figures that hold."""

import inspect
import re
from pathlib import Path

import pytest

from pytest_flyteperf.analyze import audit, crosscheck
from pytest_flyteperf.model import METRICS

DOC = Path(__file__).parents[2] / "docs" / "measures.md"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_its_sentence_and_its_source(metric):
    (row,) = [line for line in DOC.read_text().splitlines() if line.startswith(f"| `{metric}` |")]

    meaning, source = (cell.strip() for cell in row.split("|")[2:4])
    assert meaning.endswith(".")
    assert source


def test_every_check_of_the_audit_is_in_the_table_with_its_severity():
    """And each name that the table has is one that the code can give."""
    source = inspect.getsource(audit)
    given = set(re.findall(r'_(invalid|note)\("([^"]+)"', source))
    given |= {
        (severity, getattr(audit, name))
        for severity, name in re.findall(r"_(invalid|note)\(([A-Z_]+),", source)
    }
    given |= {
        ("note", name) for name in re.findall(r'check="([^"]+)"', inspect.getsource(crosscheck))
    }
    both = re.findall(r'report\("([^"]+)"', source)
    both += [getattr(audit, name) for name in re.findall(r"report\(([A-Z_]+),", source)]
    given |= {(severity, name) for name in both for severity in ("note", "invalid")}
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in (DOC.parent / "ownership.md").read_text().splitlines()
        if re.search(r"\| (note|invalid)(, invalid)? \|", line)
    ]

    told = {(severity, name) for name, cell in rows for severity in cell.split(", ")}
    assert told == given
