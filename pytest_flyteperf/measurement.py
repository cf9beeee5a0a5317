"""One case measured: its repeats, on one Flyte or on two in turns, and what they add up to."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from pytest_flyteperf import asked
from pytest_flyteperf import result as case_result
from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.benchmark import Call, Finished
from pytest_flyteperf.collect import await_calm, spoilt_by_others
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.forecast import Forecast
from pytest_flyteperf.gate import Baseline, BaselineStore, undecided
from pytest_flyteperf.gate import check as check_policy
from pytest_flyteperf.judgement import baseline_of, is_settled, verdict_on
from pytest_flyteperf.model import Deployment, Repeat, Size
from pytest_flyteperf.result import CaseResult, Measured
from pytest_flyteperf.run import is_benchmark
from pytest_flyteperf.screen import Screen
from pytest_flyteperf.settings import Settings
from pytest_flyteperf.stack import Stack
from pytest_flyteperf.turns import Side, Sides, Stage, Turns


class Site(NamedTuple):
    """What all cases of a run are measured with."""

    settings: Settings
    stack: Stack
    base: Stack | None
    """The other Flyte, where two are measured in turns."""
    store: BaselineStore
    folder: Path
    """Of the run."""
    screen: Screen
    forecast: Forecast

    def tell(self, message: str, /) -> None:
        """Show what goes on, and how long the run still takes."""
        self.screen(f"{self.forecast.told()}{message}")


class Measurement:
    """The measurement of one case: each call adds to its result, which lies on disk."""

    def __init__(self, site: Site, item: pytest.Item, deployment: Deployment) -> None:
        self._site = site
        self._item = item
        self._deployment = deployment
        self.result: CaseResult | None = None
        """What has been measured so far, kept when an execution fails; None before the first."""

    def __call__(self, call: Call) -> Finished:
        """Execute a workflow for warm-up and repeats, and measure each.

        Raises:
            FlyteperfError: an execution failed, or a Flyte did not come up.
            pytest.skip.Exception: a sweep over sizes was asked for, with two Flytes in turns.
        """
        if self._site.base is None:
            return self._alone(call)
        if call.units is not None:
            name = asked.case_name(self._item)
            pytest.skip(f"{name}: a sweep over sizes is not measured in turns")
        return self._in_turns(call, self._site.base)

    def _alone(self, call: Call) -> Finished:
        """Measure a case until its plan is done, and longer while its verdict is open."""
        result = self._begun(call)
        plan = result.plan
        name = result.case if call.units is None else f"{result.case}-{call.units}"
        run = run_case(
            _spec(name, call, result.size),
            self._deployment,
            plan,
            out_dir=self._site.folder if call.units is None else Path(result.folder),
            progress=self._site.tell,
            lock=self._site.stack.machine_lock(self._item.nodeid),
            control=self._site.stack.control,
        )
        self._site.forecast.begin(result.case, plan.warmups + plan.repeats)
        self._keep(result)
        baseline = baseline_of(result, self._site.store)
        if baseline is not None and self._site.settings.baseline:
            check_policy(result.policy, baseline)
        smaller = result.digest
        planned = plan.repeats
        replaced = 0
        try:
            for repeat in run:
                digest = case_result.joined(smaller, run.digest)
                result = result.having(_measured(repeat, call.units), digest=digest)
                self._keep(result)
                self._site.forecast.finished(result.case)
                result.shape()
                more = 0
                if replaced < min(result.invalid_at(call.units), plan.spare):
                    more = 1
                    replaced += 1
                    if spoilt_by_others(result.repeats[-1].measures):
                        await_calm(self._site.tell)
                elif call.units is None and len(result.repeats) == planned:
                    more = self._still_needed(result, baseline)
                planned += more
                run.more(more)
                self._site.forecast.more(result.case, more)
        finally:
            self._site.screen.clear()
        return Finished(run.outputs, run.error, result.shape())

    def _in_turns(self, call: Call, base: Stack) -> Finished:
        """Measure a case on both Flytes until their difference is known, or the budget spent."""
        empty = self._empty(self._deployment)
        stacks = {Side.BASE: base, Side.HEAD: self._site.stack}
        sides = Sides(
            {side: partial(self._renew, stack) for side, stack in stacks.items()}, self._empty
        )
        turns = Turns(
            _spec(empty.case, call, empty.size),
            empty.plan,
            Stage(
                start=sides.start,
                folder=self._site.folder,
                progress=self._site.tell,
                lock=self._site.stack.machine_lock(self._item.nodeid),
                control=self._site.stack.control,
            ),
            self._site.settings.blocks,
            lambda: sides.result is not None and is_settled(sides.result),
        )
        each = empty.plan.warmups + empty.plan.repeats
        self._site.forecast.begin(empty.case, 2 * self._site.settings.blocks * each)
        try:
            for finished in turns:
                self._site.forecast.finished(empty.case)
                sides.add(finished)
                if sides.result is not None:
                    self._keep(sides.result)
        finally:
            self._site.screen.clear()
            if sides.result is not None:
                self._keep(sides.result)
        shape = None if sides.result is None else sides.result.shape()
        return Finished(turns.outputs, turns.error, shape)

    def _keep(self, result: CaseResult) -> None:
        """Remember what is measured, also on disk: nothing of it is lost, however the run ends."""
        self.result = result
        case_result.save(result)

    def _renew(self, stack: Stack) -> Deployment:
        return stack.renew(self._deployment.cluster, self._site.stack.control)

    def _begun(self, call: Call) -> CaseResult:
        """The result that a call adds to: in a sweep, what its earlier sizes measured."""
        empty = self._empty(self._deployment)
        if call.units is None:
            return empty
        policy = msgspec.structs.replace(empty.policy, budget=None)
        return self.result or msgspec.structs.replace(empty, policy=policy)

    def _empty(self, deployment: Deployment) -> CaseResult:
        """The result of the case before its first repeat."""
        name = asked.case_name(self._item)
        cases = sum(map(is_benchmark, self._item.session.items))
        return CaseResult(
            case=name,
            size=Size(self._site.settings.size),
            nodeid=self._item.nodeid,
            plan=asked.run_plan(self._item, self._site.settings),
            policy=asked.policy(self._item, self._site.settings, cases),
            subject=deployment.subject,
            environment=deployment.environment,
            folder=str(self._site.folder / name),
            recorded=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def _still_needed(self, result: CaseResult, baseline: Baseline | None) -> int:
        """How many repeats to add before the next look at an open verdict."""
        if baseline is None or not self._site.settings.baseline:
            return 0
        if not undecided(verdict_on(result, baseline)):
            return 0
        return result.policy.more(len(result.valid))


def _spec(name: str, call: Call, size: Size) -> CaseSpec:
    return CaseSpec(
        name=name,
        entity=call.workflow,
        size=size,
        inputs=call.inputs,
        check=_SameOutputs(),
        expected_phase=call.phase,
    )


def _measured(repeat: Repeat, units: int | None) -> Measured:
    return Measured(repeat=repeat, measures=analyze_recording(repeat.recording), units=units)


class _SameOutputs:
    """Checks that every repeat returns what the first one did."""

    def __init__(self) -> None:
        self._first: list[object] = []

    def __call__(self, outputs: object) -> None:
        if not self._first:
            self._first.append(outputs)
        if outputs != self._first[0]:
            raise AssertionError(f"returned {outputs!r}, an earlier repeat {self._first[0]!r}")
