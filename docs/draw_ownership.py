"""Draw the pictures of ownership.md and print its tables: `python docs/draw_ownership.py [DIR]`.

Each column of a picture is a ledger of its own: the rules are asked about that stretch of time
and nothing is drawn by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pytest_flyteperf.analyze import analyze_recording, evidence, spans
from pytest_flyteperf.analyze.crd import first_seen
from pytest_flyteperf.analyze.ledger import WORKING, Owner, settle
from pytest_flyteperf.analyze.nodes import Run
from pytest_flyteperf.analyze.path import Stretch, walk
from pytest_flyteperf.analyze.pods import fold_pods
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.timeline import Segment, Timeline, partition

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
RECORDINGS = HERE.parent / "tests" / "data" / "recordings"
PICTURES = {
    "chain": "chain/0",
    "retry": "retry/0",
    "failing": "failing/0",
    "dynamic": "dynamic3/0",
    "nested-dynamic": "nested_dynamic/0",
    "branch": "branch/0",
    "sub-workflow": "parallel_subs/0",
    "launch-plan": "launchplan2/0",
    "array-node": "fan/0",
    "cache-hit": "cached_chain/1",
    "echo": "echo_chain/0",
}
SVG = "http://www.w3.org/2000/svg"
COLUMNS = 1200
LEFT, WIDTH, ROW, TOP = 190, 760, 18, 26
COLOURS = {
    "user": "#4e8f5b",
    "user, lost": "#b8743a",
    "user, compile": "#8db596",
    "flyte, working": "#6a4c93",
    "flyte, waiting": "#cbb8e3",
    "kubernetes": "#326ce5",
    "unknown": "#bbbbbb",
}


class Drawn:
    """A recording with everything that the rules ask for."""

    def __init__(self, folder: Path) -> None:
        recording = Recording(folder)
        parts = (recording, *recording.children)
        family = frozenset(part.execution.id.name for part in parts)
        seen = first_seen(recording.workflows() or (), family)
        runs = [Run(part, seen.get(part.execution.id.name)) for part in parts]
        self.run = runs[0]
        self.children = {run.name: run for run in runs[1:]}
        self.watch = evidence.Watch(
            {pod.name: pod for pod in fold_pods(recording.pods() or (), family)},
        )
        segments: dict[str, list[Segment]] = {}
        for found in spans.read_handles(recording.traces() or ()):
            if isinstance(found, spans.Handle) and found.execution in family:
                segments.setdefault(found.execution, []).extend(partition(found))
        self.timelines = {name: Timeline(cut) for name, cut in segments.items()}

    def columns(self) -> Iterator[tuple[Stretch, int, int, str]]:
        """Pieces of the critical path with the owner of most of each, neighbours joined."""
        begun, wall = self.run.created or 0, (self.run.ended or 0) - (self.run.created or 0)
        for stretch in walk(self.run, self.children):
            timeline = self.timelines.get(stretch.run.name)
            facts = evidence.of_stretch(stretch, self.watch, self.children, timeline)
            low, owner = stretch.start, ""
            at = stretch.start
            while at < stretch.end:
                column = (at - begun) * COLUMNS // wall
                end = min(stretch.end, max(at + 1, begun + (column + 1) * wall // COLUMNS))
                shares = settle(facts, at, end, timeline).shares
                now = max(shares, key=lambda key: shares[key].point)
                name = colour_name(*now)
                if name != owner:
                    if owner:
                        yield stretch, low - begun, at - begun, owner
                    low, owner = at, name
                at = end
            yield stretch, low - begun, stretch.end - begun, owner


def colour_name(owner: str, detail: str) -> str:
    """What a legend calls an owner and detail."""
    if owner == Owner.FLYTE:
        return "flyte, working" if detail in {WORKING, "admission"} else "flyte, waiting"
    if detail in {"lost", "compile"}:
        return f"user, {detail}"
    return owner if owner in COLOURS else "unknown"


def picture(folder: Path) -> str:
    """One recording's critical path as SVG: a row for each node, time to the right."""
    drawn = Drawn(folder)
    wall = (drawn.run.ended or 0) - (drawn.run.created or 0)
    rows: dict[tuple[str, str, str], list[str]] = {}
    used: dict[str, None] = {}
    for stretch, low, high, owner in drawn.columns():
        node = stretch.node
        key = (stretch.run.name, node.id if node else "", node.kind.value if node else "")
        marks = rows.setdefault(key, [])
        x = LEFT + low * WIDTH / wall
        length = max(0.4, (high - low) * WIDTH / wall)
        y = TOP + (len(rows) - 1 if not marks else list(rows).index(key)) * ROW
        used[owner] = None
        marks.append(
            f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{ROW - 4}"'
            f' fill="{COLOURS[owner]}"/>',
        )
    height = TOP + len(rows) * ROW + 26
    box = f"0 0 {LEFT + WIDTH + 10} {height}"
    out = [
        f'<svg xmlns="{SVG}" viewBox="{box}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    x = LEFT
    for owner in used:
        out.append(f'<rect x="{x}" y="6" width="10" height="10" fill="{COLOURS[owner]}"/>')
        out.append(f'<text x="{x + 14}" y="15">{owner}</text>')
        x += 30 + 7 * len(owner)
    for index, ((execution, node, kind), marks) in enumerate(rows.items()):
        inside = "  " if execution != drawn.run.name else ""
        label = escape(f"{inside}{node} ({kind})")
        out.append(f'<text x="4" y="{TOP + index * ROW + 11}">{label}</text>')
        out += marks
    bottom = TOP + len(rows) * ROW
    for tick in range(5):
        x = LEFT + tick * WIDTH // 4
        anchor = "end" if tick == 4 else "middle" if tick else "start"  # noqa: PLR2004
        label = f"{wall * tick / 4e9:.2f} s"
        out.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#dddddd"/>')
        out.append(f'<text x="{x}" y="{bottom + 14}" text-anchor="{anchor}">{label}</text>')
    return "\n".join([*out, "</svg>", ""])


def table(folder: Path) -> str:
    """The owners of one recording as a Markdown table, milliseconds."""
    ownership = analyze_recording(folder).ownership
    if ownership is None:
        return ""
    lines = ["| owner | | low | point | high |", "|---|---|--:|--:|--:|"]
    for one in sorted(ownership.owners, key=lambda one: -one.point_ns):
        figures = " | ".join(f"{ns / 1e6:.1f}" for ns in (one.low_ns, one.point_ns, one.high_ns))
        lines.append(f"| {one.owner} | {one.detail} | {figures} |")
    lines.append(f"| | **wall clock** | | **{ownership.wall_ns / 1e6:.1f}** | |")
    return "\n".join(lines)


def main(folder: Path) -> None:
    """Write every picture into a folder and print every table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, recording in PICTURES.items():
        (folder / f"{name}.svg").write_text(picture(RECORDINGS / recording))
        sys.stdout.write(f"{name}\n\n{table(RECORDINGS / recording)}\n\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "ownership")
