"""Seals: the heads of all streams at one moment, chained to the seal before.

A seal that is kept somewhere else proves later that nothing before it was changed, not even by who
owns the database.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ledger_svc.domain import chain
from ledger_svc.domain.chain import GENESIS, Head
from ledger_svc.domain.verification import Offence, OffenceKind

# Of what is hashed: it changes when the content or its order does.
_FORMAT = 1


class SealedHead(NamedTuple):
    """Where a stream ended. A tuple: a year of seals has millions."""

    stream: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """The heads of the streams, by stream, at a time; `number` counts seals from 1 without gaps."""

    number: int
    sealed_at: datetime
    heads: tuple[SealedHead, ...]
    hash: bytes


def next_seal(last: Seal | None, heads: Iterable[Head], now: datetime) -> Seal | None:
    """Seal the heads as they are; None when none has moved since the last seal."""
    sealed = tuple(
        SealedHead(head.stream, head.number, head.hash)
        for head in sorted(heads, key=lambda head: head.stream)
        if head.number
    )
    if not sealed or (last is not None and last.heads == sealed):
        return None
    number = last.number + 1 if last is not None else 1
    return Seal(number, now, sealed, _hashed(last, number, now, sealed))


def seal_offences(seals: Sequence[Seal], before: Seal | None = None) -> Iterator[Offence]:
    """Tell what is wrong with seals that follow each other, the first after `before`."""
    for seal in seals:
        expected = before.number + 1 if before is not None else 1
        if seal.number != expected:
            yield _wrong(seal, f"It follows {expected - 1}.")
        if seal.hash != _hashed(before, seal.number, seal.sealed_at, seal.heads):
            yield _wrong(seal, "Its hash does not follow from the one before and its content.")
        before = seal


def _wrong(seal: Seal, message: str) -> Offence:
    return Offence(OffenceKind.WRONG_SEAL, f"seal {seal.number}", message)


def _hashed(
    last: Seal | None, number: int, sealed_at: datetime, heads: Sequence[SealedHead]
) -> bytes:
    """Hash format, number, time in microseconds since 1970, and heads as [stream, number, hash],
    behind the hash of the seal before; see `chain.chained`.
    """
    told = [(head.stream, head.number, head.hash.hex()) for head in heads]
    content = (_FORMAT, number, chain.stored_microseconds(sealed_at), told)
    return chain.chained(last.hash if last is not None else GENESIS, content)
