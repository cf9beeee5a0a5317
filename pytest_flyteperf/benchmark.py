"""The `flyteperf` fixture: what a test calls with a workflow and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.execute import RegisteredPlan
from pytest_flyteperf.model import Shape, Size

T = TypeVar("T")

LEAST_SIZES = 2
"""A line needs so many points."""


class Call(NamedTuple):
    """What a case executes."""

    workflow: Any
    inputs: Mapping[str, Any]
    phase: str
    """In which its executions are meant to end."""
    units: int | None
    """How large it is within a sweep over sizes; None outside one."""


class Finished(NamedTuple):
    """What the executions of a case had in common."""

    outputs: Any
    error: str | None
    shape: Shape | None
    """None before the first repeat."""


class Benchmark:
    """One case: it executes a workflow again and again and returns the outputs.

    The verdict falls when the test's own assertions have held, so that a workflow with wrong
    outputs, or of another shape, is never compared.
    """

    def __init__(
        self,
        case: str,
        size: Size,
        fresh_number: int,
        execute: Callable[[Call], Finished],
    ) -> None:
        self.case = case
        """Name of the case; baselines go by it."""
        self.size = size
        """How large the case shall be."""
        self.fresh_number = fresh_number
        """A number that no earlier session had: as an input it misses every cache."""
        self._execute = execute
        self._finished: Finished | None = None
        self._called = False
        self._units: int | None = None

    def __call__(self, workflow: Any, /, **inputs: Any) -> Any:  # noqa: ANN401 # flytekit's own
        """Execute the workflow for warm-up and repeats, record each, and return its outputs.

        Args:
            workflow: a flytekit workflow or launch plan, or what `registered` returns.
            inputs: its inputs by name.

        Returns:
            The output's value; a tuple of values where the workflow has several outputs.
        """
        return self._run(workflow, inputs, "SUCCEEDED").outputs

    def failing(self, workflow: Any, /, **inputs: Any) -> str:  # noqa: ANN401 # flytekit's own
        """Execute a workflow that is meant to fail, as often as one that is not.

        Args:
            workflow: a flytekit workflow.
            inputs: its inputs by name.

        Returns:
            The message of the execution's error, in one line.
        """
        return self._run(workflow, inputs, "FAILED").error or ""

    @staticmethod
    def registered(
        name: str,
        version: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> RegisteredPlan:
        """A workflow or launch plan that is registered already, to be executed.

        Args:
            name: of the launch plan, or of a workflow, whose own launch plan has its name.
            version: None for the newest.
            project: None for the deployment's.
            domain: None for the deployment's.
        """
        return RegisteredPlan(name=name, version=version, project=project, domain=domain)

    @property
    def shape(self) -> Shape:
        """What the executions consisted of, the same in every repeat.

        Raises:
            UsageError: nothing has been executed yet.
        """
        if self._finished is None or self._finished.shape is None:
            raise UsageError(f"{self.case}: flyteperf.shape is known after flyteperf was called")
        return self._finished.shape

    def _run(self, workflow: object, inputs: Mapping[str, Any], phase: str) -> Finished:
        if self._called:
            raise UsageError(
                f"{self.case}: flyteperf was called twice in one test; write a test for each"
            )
        self._called = True
        self._finished = self._execute(Call(workflow, inputs, phase, self._units))
        return self._finished

    def over(
        self,
        *,
        short: Sequence[int],
        default: Sequence[int],
        full: Sequence[int],
        nightly: Sequence[int] | None = None,
    ) -> Iterator[int]:
        """Sweep over sizes: what is gated is how the figures grow, as the cost of 1,000 more.

        Call `flyteperf` once in each step, with a workflow that has as many units of something
        (nodes, sub-tasks) as the step says.

        Args:
            short: the sizes, at least two, of a short run.
            default: of a default one.
            full: of a full one.
            nightly: of a nightly one; None for those of a full one.

        Raises:
            UsageError: there are fewer than two sizes, or a step did not call `flyteperf`.
        """
        sizes = self._one_of(short, default, full, nightly)
        if len(set(sizes)) < len(sizes) or len(sizes) < LEAST_SIZES or min(sizes) < 1:
            raise UsageError(
                f"{self.case}: flyteperf.over({list(sizes)}): give two sizes or more, each once"
            )
        for units in sizes:
            self._units, self._called = units, False
            yield units
            if not self._called:
                raise UsageError(f"{self.case}: flyteperf was not called for size {units}")

    def sized(self, *, short: int, default: int, full: int, nightly: int | None = None) -> int:
        """The one figure that belongs to the size of this run; without a nightly one full's."""
        return self._one_of(short, default, full, nightly)

    def _one_of(self, short: T, default: T, full: T, nightly: T | None) -> T:
        match self.size:
            case Size.SHORT:
                return short
            case Size.DEFAULT:
                return default
            case Size.NIGHTLY if nightly is not None:
                return nightly
            case _:
                return full
