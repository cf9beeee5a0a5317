"""`flyteperf report`.

RUN is the folder of a run, the latest one if none is named. The page is one file that needs no
network: keep it as an artifact of CI, or mail it.

Examples:
  flyteperf report
  flyteperf report .flyteperf/runs/20261122-204106-60 --out report.html
  flyteperf report --traces            a Perfetto trace and OTLP-JSON beside each recording
  flyteperf report --console http://localhost:30080/console --jaeger http://localhost:16686
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf import pages
from pytest_flyteperf.cli.output import ProgressLine, say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options, from_here
from pytest_flyteperf.cli.project import read_results, settings
from pytest_flyteperf.report import traces
from pytest_flyteperf.result import latest_run

SETTINGS = ("console", "jaeger", "baseline-dir")
"""Those that a page is made with; `--traces` is no setting here."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    parser.add_argument("run", nargs="?", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument(
        "--out", dest="to", metavar="FILE", type=from_here, help="instead of RUN/report.html"
    )
    parser.add_argument(
        "--traces", action="store_true", help="write the repeats for Perfetto and OTLP tools too"
    )
    add_options(parser, SETTINGS)
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Write them and say where they are."""
    asked = settings(argparse.Namespace(**{name: vars(given)[name] for name in SETTINGS}))
    folder = given.run or latest_run(asked.out)
    results = pages.read_run(folder)
    page = Path(given.to) if given.to else folder / pages.NAME
    written: list[Path] = []
    with ProgressLine() as progress:
        if given.traces:
            for result in results:
                progress(f"traces of {result.case}")
                written += traces.write(Path(one.repeat.recording) for one in result.repeats)
        progress("report")
        document = read_results(folder) if (folder / "results.json").is_file() else None
        recorded = "" if document is None else _minute(document.recorded)
        pages.write(results, asked, page, recorded=recorded, document=document, progress=progress)
    if given.json:
        say_json({"report": str(page), "traces": [str(path) for path in written]})
        return 0
    if written:
        say((f"traces: {len(written)} files beside the recordings",))
    say((f"report: {page}",))
    return 0


def _minute(stamp: str) -> str:
    """`2026-11-22T18:40:00Z` as people read it."""
    return f"{stamp[:10]} {stamp[11:16]} UTC"
