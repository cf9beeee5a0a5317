"""Where made things lie: one folder a thing, named by the digest of all that goes into it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

ROOT = Path(os.environ.get("KIND_RIG") or Path.home() / ".cache/pytest-flyteperf-kind")
DIGITS = 12


def digest(*inputs: object) -> str:
    """Digest of values, and of the content of the files and folders among them."""
    told = hashlib.sha256()
    for each in inputs:
        if isinstance(each, Path):
            files = sorted(p for p in each.rglob("*") if p.is_file()) if each.is_dir() else [each]
            for file in files:
                told.update(str(file.relative_to(each.parent)).encode() + b"\0")
                told.update(file.read_bytes())
        else:
            told.update(json.dumps(each, sort_keys=True).encode() + b"\0")
    return told.hexdigest()[:DIGITS]


def obtain(name: str, inputs: object, make: Callable[[Path], None]) -> Path:
    """Folder of a made thing; `make` fills a new one, which takes its name when it is whole."""
    folder = ROOT / f"{name}-{digest(inputs)}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(folder)
    return folder
