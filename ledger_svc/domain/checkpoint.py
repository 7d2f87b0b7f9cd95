"""Checkpoints: what the books were at the end of a month, proved when it was made, and chained.

From a checkpoint on the books are proved without what came before it, so that the months before
can be archived. It keeps where each stream was and what each account had.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.chain import GENESIS
from ledger_svc.domain.errors import MonthNotOver
from ledger_svc.domain.horizon import TICK
from ledger_svc.domain.seal import SealedHead
from ledger_svc.domain.verification import Offence, OffenceKind, Verifier

# A batch is written within seconds of the time that it says; clocks differ by less than this.
GRACE = timedelta(hours=1)

# Of what is hashed: it changes when the content or its order does.
_FORMAT = 1


class AccountAt(NamedTuple):
    """What an account had, and how many entries had made it."""

    account_id: str
    balance: Money
    entry_count: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The books at the end of a month.

    Attributes:
        number: counts checkpoints from 1 without gaps.
        until: the end of the month: what was written before is covered.
        heads: where the streams were, by stream.
        transaction_count, entry_count: of all that was written before.
        effective_until: nothing before takes effect later; the last moment before the end, or the
            last effect. Checkpoints of an older version say the end itself.
        balances_hash: see `BalancesHash`.
        hash: over the checkpoint before and all of the above.
    """

    number: int
    until: datetime
    made_at: datetime
    heads: tuple[SealedHead, ...]
    transaction_count: int
    entry_count: int
    effective_until: datetime
    balances_hash: bytes
    hash: bytes


def end_of(month: str, now: datetime) -> datetime:
    """Tell when a month ends, which is over.

    Args:
        month: "2026-11", by UTC.
        now: tells whether it is over.

    Raises:
        MonthNotOver: it is not, or not for as long as `GRACE`.
    """
    year, number = (int(part) for part in month.split("-"))
    until = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    if now < until + GRACE:
        raise MonthNotOver(month, until + GRACE)
    return until


def next_checkpoint(
    last: Checkpoint | None,
    verifier: Verifier,
    balances_hash: bytes,
    until: datetime,
    now: datetime,
) -> Checkpoint:
    """Make the checkpoint of all that a verifier has found to be sound, its balances hashed."""
    seen = Checkpoint(
        last.number + 1 if last is not None else 1,
        until,
        now,
        heads_of(verifier),
        verifier.transaction_count,
        verifier.entry_count,
        max(until - TICK, verifier.effective_until),
        balances_hash,
        b"",
    )
    return _with_hash(seen, last)


def checkpoint_offences(
    checkpoints: Sequence[Checkpoint], before: Checkpoint | None = None
) -> Iterator[Offence]:
    """Tell what is wrong with checkpoints that follow each other, the first after `before`."""
    for one in checkpoints:
        expected = before.number + 1 if before is not None else 1
        if one.number != expected:
            yield _wrong(one, f"It follows {expected - 1}.")
        if one != _with_hash(one, before):
            yield _wrong(one, "Its hash does not follow from the one before and its content.")
        before = one


def standing_offences(
    checkpoint: Checkpoint, verifier: Verifier, balances_hash: bytes
) -> Iterator[Offence]:
    """Hold a checkpoint against what a verifier has seen up to its end, its balances hashed."""
    if checkpoint.heads != heads_of(verifier):
        yield _wrong(checkpoint, "The streams were elsewhere at its end.")
    counts = checkpoint.transaction_count, checkpoint.entry_count
    if counts != (verifier.transaction_count, verifier.entry_count):
        yield _wrong(checkpoint, "It counts other transactions or entries than there are.")
    effect = verifier.effective_until
    if checkpoint.effective_until not in {max(end, effect) for end in _ends(checkpoint.until)}:
        yield _wrong(checkpoint, "What it covers takes effect until another time.")
    yield from balance_offences(checkpoint, balances_hash)


def balance_offences(checkpoint: Checkpoint, balances_hash: bytes) -> Iterator[Offence]:
    """Hold a checkpoint against the hash of balances."""
    if checkpoint.balances_hash != balances_hash:
        yield _wrong(checkpoint, "The balances of accounts were others at its end.")


def count_offences(checkpoint: Checkpoint, kept: int, moved: int) -> Iterator[Offence]:
    """Hold how many balances a checkpoint keeps against how many of their accounts had entries."""
    if kept != moved:
        yield _wrong(checkpoint, f"It keeps {kept} balances, {moved} of accounts with entries.")


def stray_offence(number: int) -> Offence:
    """Tell that balances are kept for a checkpoint that is not there."""
    told = "Balances are kept for it, and it is not there."
    return Offence(OffenceKind.WRONG_CHECKPOINT, f"checkpoint {number}", told)


class BalancesHash:
    """SHA-256 of a line `account_id balance entry_count` for each account that had entries, by
    account id.
    """

    def __init__(self) -> None:
        self._digest = sha256()

    def add(self, balances: Iterable[AccountAt]) -> None:
        """Take the next ones."""
        for account_id, balance, entry_count in balances:
            self._digest.update(f"{account_id} {balance} {entry_count}\n".encode())

    def digest(self) -> bytes:
        """Tell the hash of all that were taken."""
        return self._digest.digest()


def balances_of(verifier: Verifier, account_ids: Iterable[str]) -> Iterator[AccountAt]:
    """Tell what a verifier has seen accounts to have that had entries."""
    for account_id in account_ids:
        yield AccountAt(account_id, *verifier.walked.had(account_id))


def heads_of(verifier: Verifier) -> tuple[SealedHead, ...]:
    """Tell where a verifier has seen the streams to be, by stream."""
    return tuple(
        SealedHead(stream, seen.number, seen.hash)
        for stream, seen in sorted(verifier.streams.items())
    )


def _with_hash(one: Checkpoint, last: Checkpoint | None) -> Checkpoint:
    """Hash the fields in their order, times in microseconds since 1970, heads as
    [stream, number, hash], behind the hash of the checkpoint before; see `chain.chained`.
    """
    content = (
        _FORMAT,
        one.number,
        chain.stored_microseconds(one.until),
        chain.stored_microseconds(one.made_at),
        [(head.stream, head.number, head.hash.hex()) for head in one.heads],
        one.transaction_count,
        one.entry_count,
        chain.stored_microseconds(one.effective_until),
        one.balances_hash.hex(),
    )
    hash_ = chain.chained(last.hash if last is not None else GENESIS, content)
    return replace(one, hash=hash_)


def _ends(until: datetime) -> tuple[datetime, datetime]:
    """Tell what may be called the end of a month: now, and by an older version."""
    return until - TICK, until


def _wrong(checkpoint: Checkpoint, message: str) -> Offence:
    return Offence(OffenceKind.WRONG_CHECKPOINT, f"checkpoint {checkpoint.number}", message)
