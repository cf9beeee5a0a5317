"""Kubernetes quantities."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


def parse_quantity(text: str) -> int:
    """Thousandths, rounded up as Kubernetes does: `10m` is 10, `1Ki` 1024000, `1e3` 1000000."""
    number = text.rstrip("numkKMGTPEi")
    value = Decimal(number) * _SUFFIXES[text[len(number) :]]
    return int((value * 1000).to_integral_value(ROUND_CEILING))
