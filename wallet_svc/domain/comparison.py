"""Compares a wallet with the ledger's account of the same id: what it holds, object by object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from wallet_svc.domain.wallet import Wallet

GRACE = timedelta(seconds=60)
SUBJECTS_MAX = 1_000

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has, in its normal direction."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class SubjectSum:
    """What was done for one object, in all, and when last."""

    total: Decimal
    newest_at: datetime


class Verdict(StrEnum):
    """Whether a difference needs somebody: not while something is under way."""

    IN_FLIGHT = "IN_FLIGHT"
    DIFFERENCE = "DIFFERENCE"


@dataclass(frozen=True, slots=True)
class SubjectDifference:
    """One object whose operations on a wallet are not what its entries are."""

    subject_id: str
    wallet_sum: Decimal
    ledger_sum: Decimal
    verdict: Verdict
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class WalletDifference:
    """A wallet that is not what the ledger says, and the objects at fault, by id."""

    wallet_id: str
    currency: str
    wallet_total: Decimal
    ledger_balance: Decimal
    verdict: Verdict
    subjects: Sequence[SubjectDifference]

    @property
    def difference(self) -> Decimal:
        """The wallet's less the ledger's."""
        return self.wallet_total - self.ledger_balance


def total(wallet: Wallet) -> Decimal:
    """Sum what a wallet holds, whatever for."""
    return wallet.standing.pending + wallet.standing.available + wallet.standing.held


def differs(wallet: Wallet, balance: Balance | None) -> bool:
    """Tell whether a wallet is not what its account is; without an account it must be empty."""
    if balance is None:
        return total(wallet) != 0
    return (total(wallet), wallet.currency) != (balance.amount, balance.currency)


def explain(
    wallet: Wallet,
    balance: Balance | None,
    operations: Mapping[str, SubjectSum],
    entries: Mapping[str, SubjectSum],
    now: datetime,
) -> WalletDifference:
    """Name the objects whose sums differ, each in flight while its newest activity is young.

    The wallet differs for good as soon as one object does. Where none explains it, what was done
    between two reads may, so its newest activity of all tells.
    """
    subjects = [
        found
        for name in sorted({*operations, *entries})
        for found in [_compare(name, operations.get(name), entries.get(name), now)]
        if found is not None
    ][:SUBJECTS_MAX]
    newest = [found.newest_at for found in (*operations.values(), *entries.values())]
    verdicts = [s.verdict for s in subjects] or [_verdict(max(newest, default=None), now)]
    in_flight = all(verdict is Verdict.IN_FLIGHT for verdict in verdicts)
    return WalletDifference(
        wallet.wallet_id,
        wallet.currency,
        total(wallet),
        _ZERO if balance is None else balance.amount,
        Verdict.IN_FLIGHT if in_flight else Verdict.DIFFERENCE,
        subjects,
    )


def _compare(
    name: str, operations: SubjectSum | None, entries: SubjectSum | None, now: datetime
) -> SubjectDifference | None:
    mine = operations.total if operations else _ZERO
    theirs = entries.total if entries else _ZERO
    if mine == theirs:
        return None
    newest_at = max(found.newest_at for found in (operations, entries) if found)
    return SubjectDifference(name, mine, theirs, _verdict(newest_at, now), newest_at)


def _verdict(newest_at: datetime | None, now: datetime) -> Verdict:
    young = newest_at is not None and now - newest_at < GRACE
    return Verdict.IN_FLIGHT if young else Verdict.DIFFERENCE
