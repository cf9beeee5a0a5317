"""What a page is made from: a case with everything that is known of it."""

from __future__ import annotations

from pytest_flyteperf.analyze.lanes import Lanes
from pytest_flyteperf.gate import Baseline, CaseVerdict
from pytest_flyteperf.model import Environment, Frozen, Measures, Subject


class Links(Frozen, frozen=True):
    """Where else a repeat can be looked at; None where it cannot."""

    trace: str | None = None
    """A Perfetto trace, relative to the page."""
    console: str | None = None
    """The execution in Flyte's console."""
    jaeger: str | None = None
    """Its traces in Jaeger."""


class RepeatContent(Frozen, frozen=True):
    """One repeat of a case."""

    measures: Measures
    recording: str
    """Its folder, as the reader would type it."""
    links: Links = Links()

    @property
    def valid(self) -> bool:
        """Whether no audit check has thrown it out."""
        return self.measures.valid


class CaseContent(Frozen, frozen=True):
    """One case of a run."""

    verdict: CaseVerdict
    subject: Subject
    environment: Environment
    repeats: tuple[RepeatContent, ...] = ()
    """Every execution, invalid ones included."""
    valid: tuple[Measures, ...] = ()
    """The samples that count; in a sweep, how each repeat of it grew."""
    baseline: Baseline | None = None
    """What the verdict compared with; None where there is none, or it was replaced since."""
    cause: tuple[str, ...] = ()
    """Lines that say what moved, strongest first."""
    lanes: Lanes | None = None
    """The repeat that the timeline shows; None where its recording is gone."""
    shown: int | None = None
    """Which of `repeats` that is."""
    before: str = "baseline"
    """What it is compared with, and what it is itself."""
    now: str = "now"
    points: tuple[tuple[int, Measures], ...] = ()
    """Of a sweep: size and measures of each valid repeat."""
    growth: tuple[str, ...] = ()
    """Lines that say how a sweep grew."""
    gating: bool = True
    """Whether the run was held against baselines."""
    rerun: str | None = None
    accept: str | None = None
