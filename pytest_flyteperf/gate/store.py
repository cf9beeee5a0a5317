"""The folder of baselines: `<environment key>/<case>.yaml`, written only when somebody asks."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.errors import BaselineError
from pytest_flyteperf.gate import atomic, baseline, environment
from pytest_flyteperf.model import Frozen, Size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.model import Environment


class Unused(Frozen, frozen=True):
    """A stored baseline that no case of this run has."""

    case: str
    size: Size
    file: str
    renamed_to: str | None = None
    """A case without a baseline that has the same digest."""

    def __str__(self) -> str:
        """As a line of the report."""
        if self.renamed_to is None:
            return f"{self.file}: no case {self.case} ({self.size}) ran; delete it if it is gone"
        return (
            f"{self.file}: {self.case} ({self.size}) looks renamed to {self.renamed_to}; "
            "rename the file and its case"
        )


class BaselineStore:
    """Baselines of all environments below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, case: str, measured: Environment) -> Path:
        """Where the baseline of a case in an environment lies, or would."""
        return self.directory / environment.key(measured) / file_name(case)

    def find(self, case: str, size: Size, measured: Environment) -> Baseline | None:
        """Return the baseline to compare with: this environment's, else its identity's nearest.

        Nearest is the one with the same engine digest, then the same CPU count, then the newest.

        Raises:
            BaselineError: a file that comes into question cannot be read.
        """
        own = self._read(self.path(case, measured), case).get(size)
        if own is not None:
            return own
        others = [
            found
            for path in sorted(self.directory.glob(f"*/{_escape_glob(file_name(case))}"))
            if (found := self._read(path, case).get(size)) is not None
            and environment.same_identity(found.environment, measured)
        ]
        return max(
            others,
            key=lambda b: (environment.nearness(b.environment, measured, b.recorded), b.file),
            default=None,
        )

    def put(self, accepted: Baseline, *, join: bool = False) -> Path:
        """Store a baseline, replacing that of its case, size and environment; others stay.

        The first baseline of the case's form stays beside it as its anchor.

        Args:
            accepted: what was measured.
            join: keep the sessions of the old one, if they are of the same subject.

        Raises:
            BaselineError: the file cannot be written; the old one is still there.
        """
        path = self.path(accepted.case, accepted.environment)
        sections = self._read(path, accepted.case)
        old = sections.get(accepted.size)
        new = baseline.joined(old, accepted) if join else accepted
        sections[accepted.size] = baseline.anchored(old, new)
        try:
            atomic.write_text(path, baseline.dumps(sections))
        except OSError as error:
            raise BaselineError(
                f"{path}: {error.strerror or error}; free the disk or mend the folder's rights, "
                "and update again"
            ) from None
        return path

    def unused(
        self, measured: Environment, ran: Mapping[tuple[str, Size], str | None]
    ) -> tuple[Unused, ...]:
        """Baselines of this environment that no case of a whole run asked for.

        Args:
            measured: the run's environment.
            ran: case and size of all that was collected, with the case's digest.
        """
        folder = self.directory / environment.key(measured)
        stored = {
            (section.case, size): section
            for path in sorted(folder.glob("*.yaml"))
            for size, section in self._read(path, None).items()
        }
        new = {
            (digest, size): case
            for (case, size), digest in ran.items()
            if digest is not None and (case, size) not in stored
        }
        return tuple(
            Unused(
                case=case,
                size=size,
                file=section.file or "",
                renamed_to=None if section.digest is None else new.get((section.digest, size)),
            )
            for (case, size), section in stored.items()
            if (case, size) not in ran
        )

    def _read(self, path: Path, case: str | None) -> dict[Size, Baseline]:
        try:
            with path.open("rb") as file:
                raw = file.read(baseline.MAX_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BaselineError(f"{path}: {error.strerror or error}; mend or remove it") from None
        if len(raw) > baseline.MAX_BYTES:
            raise BaselineError(
                f"{path}: larger than {baseline.MAX_BYTES >> 20} MiB, which no baseline is; "
                "restore the file, or record it anew"
            )
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise BaselineError(f"{path}: no UTF-8; restore the file, or record it anew") from None
        sections = baseline.loads(text, str(path))
        held = next(iter(sections.values())).case
        if case is not None and held != case:
            raise BaselineError(
                f"{path}: holds case {held!r} instead of {case!r}; rename the file to "
                f"{file_name(held)}, or its case"
            )
        return sections


def file_name(case: str) -> str:
    """Return the file name of a case, unlike any other case's, whatever characters it has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", case).lstrip(".")[:80]
    if plain == case:
        return f"{plain}.yaml"
    return f"{plain or 'case'}-{hashlib.sha256(case.encode()).hexdigest()[:6]}.yaml"


def relocated(found: Baseline, file: str) -> Baseline:
    """Return the baseline under another path, e.g. relative to the project, for display."""
    return msgspec.structs.replace(found, file=file)


def _escape_glob(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
