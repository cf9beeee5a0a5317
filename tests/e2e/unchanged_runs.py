"""Runs of an unchanged portfolio against its baseline, some while something else runs.

    python tests/e2e/unchanged_runs.py [--runs 10] [--busy 5] [-- PYTEST ARGUMENTS]

prints a line a run with how many gated verdicts were of which kind, and ends with 1 if any case
regressed. The baseline must be there: record it first, in two sessions or more
(`pytest benchmarks --flyteperf-update all`, then `--flyteperf-update join`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SPIN = "while True: pass"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Let so many processes use a CPU each, at the usual priority."""
    started = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def verdicts(results: Path) -> Counter[str]:
    """Gated verdicts of a run, by kind."""
    cases = json.loads(results.read_text(encoding="utf-8"))["cases"].values()
    return Counter(
        metric["verdict"]
        for case in cases
        for metric in (case.get("verdict") or {}).get("metrics", ())
        if metric["gated"]
    )


def runs(count: int, beside: int, folder: Path, arguments: Sequence[str]) -> Iterator[Counter[str]]:
    """Run pytest so often, the last ones beside a busy process; verdicts of each run."""
    for number in range(count):
        loaded = number >= count - beside
        out = folder / str(number)
        with busy(1 if loaded else 0):
            subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
                    *("--flyteperf-baseline", "--flyteperf-keep", f"--flyteperf-out={out}"),
                    *arguments,
                ],
                check=False,
            )
        found = sorted(out.glob("runs/*/results.json"))
        counted = verdicts(found[-1]) if found else Counter({"no results": 1})
        state = "busy" if loaded else "at rest"
        said = ", ".join(f"{n} {name}" for name, n in counted.most_common())
        print(f"run {number + 1} of {count}, {state}: {said}", flush=True)
        yield counted


def main() -> int:
    """Run, and say whether nothing regressed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--busy", type=int, default=5, help="how many of them beside a busy CPU")
    parser.add_argument("--folder", type=Path, default=Path(".flyteperf/unchanged"))
    parser.add_argument("pytest", nargs="*", default=["benchmarks"])
    given = parser.parse_args()
    total: Counter[str] = Counter()
    for counted in runs(given.runs, given.busy, given.folder, given.pytest):
        total += counted
    share = 100 * total["pass"] / max(1, total.total())
    print(f"{total['regressed']} regressed, {share:.1f} % of gated verdicts pass")
    return 1 if total["regressed"] or total["no results"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
