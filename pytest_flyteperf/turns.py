"""A case measured on two Flytes in turns: blocks of both sides, until the answer is there.

Blocks come in fours, ABBA or BAAB as a seed has it, so that whatever drifts steadily adds alike to
both sides. Each begins with a Flyte started anew, whose warm-ups are discarded: blocks, not
repeats, are what an unchanged system draws anew. Both sides of a pair submit at the same phases.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.collect import await_calm, spoilt_by_others
from pytest_flyteperf.execute import ABSENT, CaseRun, CaseSpec, run_case
from pytest_flyteperf.execute.lifeline import Lifeline
from pytest_flyteperf.model import Deployment, RunPlan
from pytest_flyteperf.progress import Progress
from pytest_flyteperf.result import CaseResult, Measured

LEAST_BLOCKS = 4
"""Of a side, before the first look: fewer decide nothing at the gate's rate of false alarms."""
PAIRED = 2
"""Blocks of a side in a group of four."""


class Side(StrEnum):
    """Which of the two Flytes."""

    BASE = "base"
    HEAD = "head"


class Block(NamedTuple):
    """One side's go: a Flyte started anew, warm-ups, repeats."""

    number: int
    """In the order of measuring, from 0."""
    side: Side
    pair: int
    """The how-manieth of its side."""


class Finished(NamedTuple):
    """A repeat of a block, measured."""

    block: Block
    measured: Measured
    digest: str | None
    """Of the registered workflow."""


def groups(seed: int, case: str, blocks: int) -> Iterator[tuple[Block, ...]]:
    """Blocks in the order to run them, four at a time, `blocks` of either side in all."""
    for first in range(0, blocks, PAIRED):
        chosen = random.Random(f"{seed}/{case}/blocks/{first}").random() < 0.5  # noqa: PLR2004, S311 - a coin
        outer, inner = (Side.BASE, Side.HEAD) if chosen else (Side.HEAD, Side.BASE)
        yield tuple(
            Block(number=2 * first + i, side=side, pair=first + i // 2)
            for i, side in enumerate((outer, inner, inner, outer))
        )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where turns are taken: one cluster, on which either Flyte can be started."""

    start: Callable[[Side], Deployment]
    """Starts a side's Flyte anew, in place of whatever runs."""
    folder: Path
    """Recordings go below `blocks/<number>-<side>`."""
    progress: Progress
    lock: AbstractContextManager[object]
    """Held for a block, again and again."""
    control: Lifeline | None


class Sides:
    """What came of a case on either Flyte so far."""

    def __init__(
        self,
        start: Mapping[Side, Callable[[], Deployment]],
        empty: Callable[[Deployment], CaseResult],
    ) -> None:
        """Keep how to start either Flyte, and how a deployment's result begins."""
        self._start = start
        self._empty = empty
        self._results: dict[Side, CaseResult] = {}

    def start(self, side: Side) -> Deployment:
        """Start a side's Flyte anew."""
        deployment = self._start[side]()
        self._results.setdefault(side, self._empty(deployment))
        return deployment

    def add(self, finished: Finished) -> None:
        """Take a repeat in.

        Raises:
            ExecutionError: it consisted of something else than its side's earlier ones.
        """
        side = finished.block.side
        result = self._results[side].having(finished.measured, digest=finished.digest)
        self._results[side] = result
        result.shape()

    @property
    def result(self) -> CaseResult | None:
        """The head's result with the base's in it; None before the head was started."""
        head = self._results.get(Side.HEAD)
        if head is None:
            return None
        return msgspec.structs.replace(head, base=self._results.get(Side.BASE))


class Turns:
    """The run of a case on two Flytes: an iterator of its finished repeats, warm-ups included.

    Nothing runs while it is suspended.
    """

    def __init__(
        self, spec: CaseSpec, plan: RunPlan, stage: Stage, blocks: int, decided: Callable[[], bool]
    ) -> None:
        """Prepare to run at most `blocks` of a side, until `decided` says it is enough."""
        self._spec = spec
        self._plan = plan
        self._stage = stage
        self._blocks = blocks
        self._decided = decided
        self.outputs: object = ABSENT
        """What the last successful execution returned; `ABSENT` before the first."""
        self.error: str | None = None
        """Error of the last execution that ended as expected, None where it had none."""

    def __iter__(self) -> Iterator[Finished]:
        """Run the blocks.

        Raises:
            FlyteperfError: a Flyte did not come up, or as `CaseRun` raises.
        """
        for group in groups(self._plan.seed, self._spec.name, self._blocks):
            if group[-1].pair >= LEAST_BLOCKS and self._decided():
                return
            for block in group:
                yield from self._block(block)

    def _block(self, block: Block) -> Iterator[Finished]:
        plan = msgspec.structs.replace(self._plan, seed=self._plan.seed + block.pair)
        label = f"block {block.number + 1}/{2 * self._blocks}, {block.side}"

        def progress(message: str, /) -> None:
            self._stage.progress(f"{label}: {message}")

        with self._stage.lock:
            progress(f"{self._spec.name}: starting its Flyte")
            run = run_case(
                self._spec,
                self._stage.start(block.side),
                plan,
                out_dir=self._stage.folder / "blocks" / f"{block.number:02}-{block.side}",
                progress=progress,
                lock=nullcontext(),  # the block's is held
                control=self._stage.control,
            )
            yield from self._measured(run, block)
        self.outputs, self.error = run.outputs, run.error

    def _measured(self, run: CaseRun, block: Block) -> Iterator[Finished]:
        """The block's repeats; one more for each that is invalid, while there are spare ones."""
        spare = self._plan.spare
        for repeat in run:
            measured = Measured(
                repeat=repeat, measures=analyze_recording(repeat.recording), block=block.pair
            )
            yield Finished(block, measured, run.digest)
            if spare and not repeat.warmup and not measured.measures.valid:
                spare -= 1
                run.more(1)
                if spoilt_by_others(measured.measures):
                    await_calm(self._stage.progress)
