"""`flyteperf doctor`."""

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
            say((f"{'ok  ' if finding.ok else 'MISS'}  {finding.what}: {finding.found}",))
            if finding.remedy:
                say((f"      {finding.remedy}",))
    return 0 if all(finding.ok for finding in findings) else FlyteperfError.exit_code
