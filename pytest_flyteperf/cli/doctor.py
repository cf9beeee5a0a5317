"""`flyteperf doctor`.

Exit code 4 if something is missing that the embedded engine needs; what only kind clusters or the
tests of this package need is told with a dash.

Examples:
  flyteperf doctor
  flyteperf doctor --json | jq '.[] | select(.ok | not)'
"""

from __future__ import annotations

import argparse
import os

from pytest_flyteperf import doctor
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.errors import FlyteperfError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but the form."""
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Look, and say what to do about what is missing."""
    findings = doctor.examine(os.environ)
    if given.json:
        say_json(findings)
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "-   " if finding.optional else "MISS"
            say((f"{mark}  {finding.what}: {finding.found}",))
            if finding.remedy:
                say((f"      {finding.remedy}",))
    fit = all(finding.ok or finding.optional for finding in findings)
    return 0 if fit else FlyteperfError.exit_code
