"""Names of executions: they say case and repeat, are valid everywhere, and are equally long."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable

LENGTH = 20
"""Characters of every name. FlyteAdmin allows 63 and generates 20: names stand in the
FlyteWorkflow object, in labels and blob paths, so a longer one would be measured as larger state.
"""
RANDOM = 5
"""Least number of random characters: 60 million names of one repeat of one case."""
ALPHABET = string.ascii_lowercase + string.digits


def execution_name(
    case: str, index: int, *, warmup: bool, choose: Callable[[str], str] = secrets.choice
) -> str:
    """Make a new name, e.g. `chain-r03-k7x2f9q0ab`.

    FlyteAdmin asks for `[a-z][a-z0-9-]*` (flyteadmin/pkg/manager/impl/validation), Kubernetes for
    a letter or digit at the end.
    """
    number = f"-{'w' if warmup else 'r'}{index:02}-"
    room = LENGTH - RANDOM - len(number)
    if room < 1:
        raise ValueError(f"repeat {index} of {case} has no name of {LENGTH} characters")
    stem = _stem(case)[:room].rstrip("-")
    head = stem + number
    return head + "".join(choose(ALPHABET) for _ in range(LENGTH - len(head)))


def _stem(case: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-").removeprefix("test-")
    return plain if plain[:1].isalpha() else f"x{plain}"
