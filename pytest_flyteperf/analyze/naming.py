"""Names that Flyte derives: unique node ids, by its own rules.

`PM/encoding/encoder.go:46-104` of flyteorg/flyte v1.16.8: parts joined by `-`; what is longer than
20 characters becomes `f` and the FNV-1a hash in base 32.
"""

from __future__ import annotations

NODE_ID_LENGTH = 20

_ALPHABET = "abcdefghijklmnopqrstuvwxyz123456"
_FNV_OFFSET = 2_166_136_261
_FNV_PRIME = 16_777_619
_HASH_BITS = 32
_CHARACTER_BITS = 5


def unique_node_id(parent: str, attempt: str, spec_id: str) -> str:
    """Id of a node beneath another, e.g. `n0-0-n1`, or eight characters where that is too long."""
    joined = f"{parent}-{attempt or '0'}-{spec_id}"
    if len(joined) <= NODE_ID_LENGTH:
        return joined
    value = _FNV_OFFSET
    for byte in joined.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    characters = -(-_HASH_BITS // _CHARACTER_BITS)
    value <<= characters * _CHARACTER_BITS - _HASH_BITS
    digits = [
        _ALPHABET[(value >> shift) & 31]
        for shift in range((characters - 1) * _CHARACTER_BITS, -1, -_CHARACTER_BITS)
    ]
    return "f" + "".join(digits)
