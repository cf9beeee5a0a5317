"""Runs of a case that are over at once and record nothing."""

from pytest_flyteperf.model import Repeat, Size


class Run:
    """Yields the repeats of a plan, as `execute.CaseRun` does."""

    digest = "d"
    outputs, error = 3, None

    def __init__(self, spec, plan, folder):
        self._spec, self._plan, self._folder = spec, plan, folder
        self._repeats = plan.repeats

    def more(self, repeats):
        self._repeats += repeats

    def __iter__(self):
        for _ in range(self._plan.warmups):
            yield self._repeat(0, warmup=True)
        index = 0
        while index < self._repeats:
            yield self._repeat(index, warmup=False)
            index += 1

    def _repeat(self, index, *, warmup):
        return Repeat(
            case=self._spec.name,
            size=Size.DEFAULT,
            index=index,
            warmup=warmup,
            execution="e",
            recording=str(self._folder),
            phase_wait_ns=0,
            trace_wait_ns=0,
            client_ns=0,
        )
