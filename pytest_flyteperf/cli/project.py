"""The project that a command is typed in: its settings, its Flyte, its result files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.report import results
from pytest_flyteperf.report.sections import Results
from pytest_flyteperf.settings import Settings, resolve

STACK_OPTIONS = (
    *("cluster", "flyte", "config", "database", "node-image", "chart", "images", "values"),
    *("task-image", "store-image", "database-image", "kubeconfig", "context", "endpoint"),
    *("install", "jaeger-image"),
    *("flyte-config", "project", "domain", "traces", "jaeger", "prometheus"),
)
"""Settings that say which cluster and which Flyte."""
_ROOT_MARKS = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", ".git")


def settings(given: argparse.Namespace, **more: object) -> Settings:
    """The settings that hold here: what was typed, then the environment, then the defaults."""
    flags: Mapping[str, Any] = {**vars(given), **more}
    return resolve(flags, os.environ, lambda _: None, project_root(Path.cwd()))


def project_root(start: Path) -> Path:
    """The folder that pytest would call rootdir, or the one given."""
    for folder in (start, *start.parents):
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            return folder
    return start


def read_results(path: Path) -> Results:
    """The results in a file, in a run's folder, or in the latest of a folder of runs.

    Raises:
        UsageError: it is none.
    """
    file = path / "results.json" if path.is_dir() else path
    if path.is_dir() and not file.exists():
        file = max(path.glob("*/results.json"), default=file)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        said = f"{file}: {error.strerror}; give a results.json, or a folder with one"
        raise UsageError(said) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is not UTF-8; give a results.json") from None
    return results.from_json(text, Results, str(file))
