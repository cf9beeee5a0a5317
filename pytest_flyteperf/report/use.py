"""What a case's repeats used, what components counted meanwhile, and what the audit noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.report.gather import counts, grouped, times
from pytest_flyteperf.report.sections import Component, Flytekit, Noticed, PodsUse, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.model import Measures


def components(measures: Sequence[Measures]) -> tuple[Component, ...]:
    """Return what each process used, in the order in which they first appear."""
    found = grouped((use for m in measures for use in m.components), lambda use: use.component)
    return tuple(
        Component(
            component=component,
            cpu=times(use.cpu_ns for use in uses),
            resident_bytes=counts(use.resident_bytes for use in uses),
            mean_bytes=counts(use.mean_bytes for use in uses),
            peak_bytes=counts(use.peak_bytes for use in uses),
            read_bytes=counts(use.read_bytes for use in uses),
            written_bytes=counts(use.written_bytes for use in uses),
            received_bytes=counts(use.received_bytes for use in uses),
            sent_bytes=counts(use.sent_bytes for use in uses),
            descriptors=counts(use.descriptors for use in uses),
        )
        for component, uses in found.items()
    )


def pods(measures: Sequence[Measures]) -> PodsUse | None:
    """Return what the pods used; None where none told it."""
    uses = [m.pods_use for m in measures if m.pods_use is not None]
    if not uses:
        return None
    return PodsUse(
        pods=counts(use.pods for use in uses),
        cpu=times(use.cpu_ns for use in uses),
        max_resident_bytes=counts(use.max_resident_bytes for use in uses),
        read_bytes=counts(use.read_bytes for use in uses),
        written_bytes=counts(use.written_bytes for use in uses),
    )


def flytekit(measures: Sequence[Measures]) -> Flytekit | None:
    """Return flytekit's stages; None where no container told them."""
    shares = [m.flytekit for m in measures if m.flytekit is not None]
    if not shares:
        return None
    return Flytekit(
        containers=counts(share.containers for share in shares),
        start=times(share.start_ns for share in shares),
        load=times(share.load_ns for share in shares),
        inputs=times(share.inputs_ns for share in shares),
        user_code=times(share.user_code_ns for share in shares),
        outputs=times(share.outputs_ns for share in shares),
        exit=times(share.exit_ns for share in shares),
    )


def signals(measures: Sequence[Measures]) -> tuple[Signal, ...]:
    """Return what components counted, in the order in which they first appear."""
    counted = (one for m in measures for one in m.signals)
    found = grouped(counted, lambda one: (one.name, one.source))
    return tuple(
        Signal(
            name=name,
            source=source,
            count=counts(one.count for one in ones),
            time=times(one.sum_ns for one in ones),
        )
        for (name, source), ones in found.items()
    )


def noticed(measures: Sequence[Measures]) -> tuple[Noticed, ...]:
    """Return the checks that fired, what makes a repeat invalid first."""
    findings = (finding for m in measures for finding in m.findings)
    found = grouped(findings, lambda one: (one.severity.value, one.check))
    return tuple(
        Noticed(check=check, severity=severity, repeats=len(ones), evidence=ones[0].evidence)
        for (severity, check), ones in sorted(found.items())
    )
