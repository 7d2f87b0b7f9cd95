"""Compares a wallet with the ledger's account of the same id: what it holds, object by object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    """What was done for one object, in all, and when last and first."""

    total: Decimal
    newest_at: datetime
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What was done with a wallet, or on an account, since a time; None is the beginning.

    `opening` is what it had then.
    """

    since: datetime | None
    opening: Decimal
    sums: Mapping[str, SubjectSum]


class Verdict(StrEnum):
    """Whether a difference needs somebody: not while something is under way. UNEXPLAINED may be."""

    IN_FLIGHT = "IN_FLIGHT"
    DIFFERENCE = "DIFFERENCE"
    UNEXPLAINED = "UNEXPLAINED"


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
    """A wallet that is not what the ledger says, and the objects at fault, by id.

    Objects are summed since `since`, None is the beginning; `earlier` is what differed before.
    Unless `is_whole`, what was done before that may say more, or another thing. No operation made
    the balances of one that `is_unfounded`: that is never in flight.
    """

    wallet_id: str
    currency: str
    wallet_total: Decimal
    ledger_balance: Decimal
    verdict: Verdict
    subjects: Sequence[SubjectDifference] = ()
    since: datetime | None = None
    earlier: Decimal = _ZERO
    has_wallet: bool = True
    is_whole: bool = True
    is_unfounded: bool = False

    @property
    def difference(self) -> Decimal:
        """The wallet's less the ledger's."""
        return self.wallet_total - self.ledger_balance


def total(wallet: Wallet) -> Decimal:
    """Sum what a wallet holds, whatever for."""
    return wallet.standing.pending + wallet.standing.available + wallet.standing.held


def differs(wallet: Wallet | None, balance: Balance | None) -> bool:
    """Tell whether a wallet is not what its account is; one without the other must be empty."""
    if wallet is None or balance is None:
        return _total(wallet) != _amount(balance)
    return (total(wallet), wallet.currency) != (balance.amount, balance.currency)


def unexplained(wallet_id: str, wallet: Wallet | None, balance: Balance | None) -> WalletDifference:
    """Tell a difference of which it could not be read what it is made of."""
    currency = wallet.currency if wallet else balance.currency if balance else ""
    return WalletDifference(
        wallet_id,
        currency,
        _total(wallet),
        _amount(balance),
        Verdict.UNEXPLAINED,
        has_wallet=wallet is not None,
    )


def unfounded(told: WalletDifference) -> WalletDifference:
    """Tell that no operation made a wallet's balances."""
    return replace(told, verdict=Verdict.DIFFERENCE, is_unfounded=True)


def explain(
    told: WalletDifference, operations: History, entries: History, now: datetime
) -> WalletDifference:
    """Name the objects whose sums differ, each in flight while its newest activity is young.

    The wallet differs for good as soon as one object does, or where what it had before the
    histories begin differs. Where none explains it, what was done between two reads may, so its
    newest activity of all tells. Both histories begin at the same time.
    """
    compared = [
        _Compared(name, operations.sums.get(name), entries.sums.get(name))
        for name in sorted({*operations.sums, *entries.sums})
    ]
    differing = [one for one in compared if one.difference]
    earlier = operations.opening - entries.opening
    # What was done on one side just before the histories begin, and on the other just after.
    halves = {one.subject_id: one for one in differing if one.begins_by(entries.since)}
    is_whole = earlier + sum(one.difference for one in halves.values()) == 0
    if is_whole:
        differing = [one for one in differing if one.subject_id not in halves]
        earlier = _ZERO
    subjects = [one.told(now) for one in differing]
    newest = max((one.newest_at for one in compared), default=None)
    verdicts = {s.verdict for s in subjects} or {_verdict(newest, now)}
    if earlier:
        verdicts.add(Verdict.DIFFERENCE)
    return replace(
        told,
        verdict=Verdict.DIFFERENCE if Verdict.DIFFERENCE in verdicts else Verdict.IN_FLIGHT,
        subjects=subjects[:SUBJECTS_MAX],
        since=entries.since,
        earlier=earlier,
        is_whole=is_whole,
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """One object on both sides."""

    subject_id: str
    mine: SubjectSum | None
    theirs: SubjectSum | None

    @property
    def difference(self) -> Decimal:
        return self._sum(self.mine) - self._sum(self.theirs)

    @property
    def newest_at(self) -> datetime:
        return max(one.newest_at for one in (self.mine, self.theirs) if one)

    def begins_by(self, since: datetime | None) -> bool:
        oldest = min(one.oldest_at for one in (self.mine, self.theirs) if one)
        return since is not None and oldest < since + GRACE

    def told(self, now: datetime) -> SubjectDifference:
        verdict = _verdict(self.newest_at, now)
        sums = self._sum(self.mine), self._sum(self.theirs)
        return SubjectDifference(self.subject_id, *sums, verdict, self.newest_at)

    @staticmethod
    def _sum(side: SubjectSum | None) -> Decimal:
        return side.total if side else _ZERO


def _total(wallet: Wallet | None) -> Decimal:
    return total(wallet) if wallet else _ZERO


def _amount(balance: Balance | None) -> Decimal:
    return balance.amount if balance else _ZERO


def _verdict(newest_at: datetime | None, now: datetime) -> Verdict:
    young = newest_at is not None and now - newest_at < GRACE
    return Verdict.IN_FLIGHT if young else Verdict.DIFFERENCE
