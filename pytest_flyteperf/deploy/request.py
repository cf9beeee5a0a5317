"""Which Flyte is asked for, and how configured: checked before anything starts."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.deploy.config import check_database, check_overrides
from pytest_flyteperf.deploy.yamlfile import Document, read_yaml, write_yaml
from pytest_flyteperf.engine.build import ensure_engine, is_program
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import AdminKind, Frozen, Subject
from pytest_flyteperf.progress import Progress, silent

if TYPE_CHECKING:
    from pytest_flyteperf.engine.build import Engine

CHECK_S: Final = 60.0
"""Longest time that Propeller may take to read a configuration."""


class Request(Frozen, frozen=True):
    """Which Flyte, and how configured."""

    engine: Engine
    overrides: Document | None = None
    database: str | None = None
    """PostgreSQL URL, for a full Flyte."""

    @property
    def subject(self) -> Subject:
        """What is under test."""
        text = self.overrides.text if self.overrides is not None else None
        return Subject(
            flyte=self.engine.flyte,
            digest=self.engine.flyte_digest,
            config=text,
            config_digest=hashlib.sha256(text.encode()).hexdigest() if text is not None else None,
        )

    @property
    def admin_kind(self) -> AdminKind:
        """Who answers as FlyteAdmin."""
        return AdminKind.FLYTEADMIN if self.engine.full_flyte else AdminKind.STAND_IN

    @property
    def database_kind(self) -> str:
        """Where FlyteAdmin, or the stand-in, keeps its state."""
        return "PostgreSQL" if self.database else "bbolt"


def prepare(
    flyte: str | None,
    *,
    config: Path | None = None,
    database: str | None = None,
    progress: Progress = silent,
) -> Request:
    """Check what the user asked for, and build it if it is not; what is wrong is said first.

    Raises:
        UsageError: there is no such Flyte, or it cannot take the configuration or the database.
        BuildError: it cannot be built.
    """
    _check(flyte, config, database, full=is_program(flyte))
    return plan(ensure_engine(progress, flyte), config=config, database=database)


def plan(engine: Engine, *, config: Path | None = None, database: str | None = None) -> Request:
    """Check configuration and database for an engine that is built.

    Raises:
        UsageError: it cannot take one of them.
    """
    overrides = _check(engine.flyte, config, database, full=engine.full_flyte is not None)
    if overrides is not None and engine.propeller is not None:
        _check_keys(engine.propeller, overrides)
    return Request(engine=engine, overrides=overrides, database=database)


def _check(
    flyte: str | None, config: Path | None, database: str | None, *, full: bool
) -> Document | None:
    """Check what needs no built program; return the configuration file's content."""
    if full and database is None:
        raise UsageError(
            f"--flyteperf-flyte {flyte}: FlyteAdmin needs PostgreSQL, its migrations fail "
            "on SQLite; give --flyteperf-database postgres://USER:PASSWORD@HOST:PORT/NAME"
        )
    if database is not None and not full:
        raise UsageError(
            "--flyteperf-database: only a full `flyte` program keeps its state in PostgreSQL; "
            "give one to --flyteperf-flyte, or leave the database out"
        )
    if database is not None:
        check_database(database)
    overrides = read_yaml(config) if config is not None else None
    if overrides is not None:
        check_overrides(overrides, full=full)
    return overrides


def _check_keys(propeller: str, overrides: Document) -> None:
    """Let Propeller itself say which keys and values it does not take."""
    with tempfile.TemporaryDirectory(prefix="flyteperf-config-") as folder:
        sections = {
            name: value
            for name, value in overrides.content.items()
            if name.lower() not in {"flyteadmin", "standin", "task_resources"}
        }
        path = write_yaml(Path(folder), "check", sections)
        done = subprocess.run(
            [propeller, "--check", "--config", path],
            check=False,
            capture_output=True,
            text=True,
            timeout=CHECK_S,
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        reason = reason.rpartition(f"{path}: ")[2].rpartition("following error(s): ")[2]
        raise UsageError(f"{overrides.path}: FlytePropeller does not take it: {reason}")
