"""Tells an account's story by when entries count from, whenever they were written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from chassis.errors import InvalidRequest
from chassis.money import InvalidAmount, Money
from ledger_svc.domain.chain import stored_microseconds
from ledger_svc.domain.horizon import BEGINNING, TICK
from ledger_svc.ports import BalanceAt, EffectivePosition, Effects, LedgerReader, Period
from ledger_svc.use_cases.archive import require_opening_kept
from ledger_svc.use_cases.get_balance import find_account
from ledger_svc.use_cases.get_statement import Statement, require_order
from ledger_svc.use_cases.list_entries import to_position
from paging.page_size import page_limit
from paging.page_token import read_token, write_token

_COUNTS = range(2**63)
_NOTHING, _UNTIL_MAX = timedelta(0), timedelta(days=365 * 8000)


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """Where a page ended, and what the first one summed: no later page sums anew."""

    effects: Effects
    after: EffectivePosition | None = None


async def get_effective_statement(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    """Make a statement of what counts from a time in a period, in the order of these times.

    All pages are of the moment of the first, but for the account itself.

    Raises:
        AccountNotFound: there is none.
        InvalidRequest: the period ends before it starts, or the token is of another statement.
        PeriodArchived: a part of it may be archived.
    """
    require_order(period)
    made = await reader.at_one_moment(
        lambda now: _make(now, account_id, period, page_size=page_size, page_token=page_token)
    )
    await require_opening_kept(reader, period.start)
    return made


async def _make(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    limit = page_limit(page_size)
    ends = [end.isoformat() if end else "" for end in (period.start, period.end)]
    filters = ["effective", account_id, *ends]
    account = await find_account(reader, account_id)
    if page_token:
        mark = _read(filters, page_token, account.currency)
    else:
        mark = _Bookmark(await reader.effects(account, period))
    effects = mark.effects
    # One more than asked for tells whether there is a next page.
    found = await reader.entries_effective(
        account, period, effects, after=mark.after, limit=limit + 1
    )
    entries = found[:limit]
    token = ""
    if len(found) > limit:
        last = entries[-1].entry
        after = last.effective_at, last.transaction_id, last.line
        token = _written(filters, _Bookmark(effects, after))
    return Statement(
        account,
        effects.opening.balance,
        effects.closing.balance,
        effects.closing.entry_count - effects.opening.entry_count,
        entries,
        token,
    )


def _written(filters: Sequence[str], mark: _Bookmark) -> str:
    assert mark.after is not None  # noqa: S101 - a first page needs no token
    at, transaction_id, line = mark.after
    effects = mark.effects
    sums = [
        part
        for then in (effects.opening, effects.closing)
        for part in (str(then.balance), then.entry_count)
    ]
    times = [stored_microseconds(at), stored_microseconds(effects.until)]
    spans = [effects.ahead // TICK, effects.behind // TICK]
    return write_token(filters, [transaction_id, line, *sums, *times, *spans])


def _read(filters: Sequence[str], token: str, currency: str) -> _Bookmark:
    kinds = [str, int, str, int, str, int, int, int, int, int]
    transaction_id, line, opening, before, closing, then, *times = read_token(filters, token, kinds)
    try:
        at, until, ahead, behind = [timedelta(microseconds=int(time)) for time in times]
        effects = Effects(
            BalanceAt(Money(Decimal(str(opening)), currency), int(before)),
            BalanceAt(Money(Decimal(str(closing)), currency), int(then)),
            ahead,
            behind,
            BEGINNING + until,
        )
        after = BEGINNING + at, *to_position(str(transaction_id), int(line))
    except (OverflowError, InvalidOperation, InvalidAmount) as error:
        raise InvalidRequest.field("page_token", "is none of ours") from error
    counts = int(before) in _COUNTS and int(then) in range(int(before), _COUNTS.stop)
    if not (counts and min(ahead, behind) >= _NOTHING and until < _UNTIL_MAX):
        raise InvalidRequest.field("page_token", "is none of ours")
    return _Bookmark(effects, after)
