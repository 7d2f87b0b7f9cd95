"""Chains of hashes: what was written cannot be changed without all that came after it.

Each writer has a stream of its own and numbers its transactions in it from 1, so that no writer
waits for another; seals tie the streams together. Whoever has a seal can tell later whether
anything before it was changed.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

GENESIS = bytes(32)
NOTHING = "txn_" + "0" * 32  # sorts before every transaction
STREAM_MAX = 2**14 - 1
NUMBER_MAX = 2**48 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class Head(NamedTuple):
    """Where a stream ends: its last transaction's number, hash and time. An empty one has number 0
    and the genesis hash.
    """

    stream: int
    number: int = 0
    hash: bytes = GENESIS
    written_at: datetime = _EPOCH


def transaction_id(at: datetime, stream: int, number: int) -> str:
    """Name the transaction of a place in a stream: `txn_` and 32 hexadecimal digits.

    Ids sort by time, then stream, then number. The digits are a UUID of version 8 (RFC 9562): 48
    bits of milliseconds, 12 of microseconds within them, 14 of the stream and 48 of the number.
    """
    return f"{_first_of(at, stream)}{number:012x}"


def first_id(at: datetime) -> str:
    """Name the lowest id that a transaction of this time or later can have; none is before 1970."""
    return transaction_id(max(at, _EPOCH), 0, 0)


def written_at(transaction_id_: str) -> datetime:
    """Read the time out of a transaction's id.

    Raises:
        ValueError: it is none.
    """
    value = int(transaction_id_.removeprefix("txn_"), 16)
    microseconds = (value >> 80) * 1000 + (value >> 64 & 0xFFF)
    return _EPOCH + timedelta(microseconds=microseconds)


def place(transaction_id_: str) -> tuple[int, int]:
    """Read the stream and the number out of a transaction's id."""
    value = int(transaction_id_[-16:], 16)
    return value >> 48 & STREAM_MAX, value & NUMBER_MAX


@lru_cache(maxsize=256)
def stored_microseconds(moment: datetime) -> int:
    """Count microseconds since 1970, the form of a time in what is hashed."""
    return (moment - _EPOCH) // _MICROSECOND


def chained(previous: bytes, content: Iterable[object]) -> bytes:
    """Hash content behind what came before: SHA-256 of the 32 bytes and the content as JSON.

    The JSON is an array without spaces in ASCII, as RFC 8259 has it, so that anybody can do it
    again in any language.
    """
    return linked(previous, _write(list(content)))


def linked(previous: bytes, content: str) -> bytes:
    """Hash content that is written as JSON already, as `chained` would."""
    return sha256(previous + content.encode("ascii")).digest()


@lru_cache(maxsize=64)
def _first_of(at: datetime, stream: int) -> str:
    """Write the part of an id that all of a batch share."""
    milliseconds, microseconds = divmod(stored_microseconds(at), 1000)
    time = milliseconds << 16 | 0x8 << 12 | microseconds
    return f"txn_{time:016x}{0b10 << 14 | stream:04x}"
