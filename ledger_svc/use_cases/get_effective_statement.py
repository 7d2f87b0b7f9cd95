"""Tells an account's story by when entries count from, whenever they were written."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.errors import InvalidRequest
from chassis.money import Money
from ledger_svc.domain.account import Account
from ledger_svc.domain.chain import stored_microseconds
from ledger_svc.domain.horizon import BEGINNING, TICK
from ledger_svc.domain.transaction import Entry
from ledger_svc.ports import BalanceAt, EffectivePosition, LedgerReader, Period
from ledger_svc.use_cases.archive import require_effect_kept
from ledger_svc.use_cases.get_balance import find_account
from ledger_svc.use_cases.get_statement import Statement, require_order
from ledger_svc.use_cases.list_entries import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, to_position
from paging.page_token import read_token, write_token


async def get_effective_statement(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    """Make a statement of what counts from a time in a period, in the order of these times; all of
    one moment.

    Raises:
        AccountNotFound: there is none.
        InvalidRequest: the period ends before it starts, or the token is of another statement.
        PeriodArchived: a part of it may be archived.
    """
    require_order(period)
    made = await reader.at_one_moment(
        lambda now: _make(now, account_id, period, page_size=page_size, page_token=page_token)
    )
    await require_effect_kept(reader, period.start)
    return made


async def _make(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    limit = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    ends = [end.isoformat() if end else "" for end in (period.start, period.end)]
    filters = ["effective", account_id, *ends]
    after = _position(filters, page_token) if page_token else None
    account = await find_account(reader, account_id)
    opening = BalanceAt(Money.zero(account.currency), 0)
    if period.start is not None:
        opening = await reader.balance_effective(account, period.start - TICK)
    closing = await _closing(reader, account, period.end)
    # One more than asked for tells whether there is a next page.
    found = await reader.entries_effective(account, period, after=after, limit=limit + 1)
    entries = found[:limit]
    return Statement(
        account,
        opening.balance,
        closing.balance,
        closing.entry_count - opening.entry_count,
        entries,
        _token(filters, entries) if len(found) > limit else "",
    )


async def _closing(reader: LedgerReader, account: Account, end: datetime | None) -> BalanceAt:
    if end is None:
        return BalanceAt(account.balance, account.standing.entry_count)
    return await reader.balance_effective(account, end - TICK)


def _token(filters: Sequence[str], entries: Sequence[Entry]) -> str:
    last = entries[-1]
    moment = stored_microseconds(last.effective_at)
    return write_token(filters, [moment, last.transaction_id, last.line])


def _position(filters: Sequence[str], token: str) -> EffectivePosition:
    moment, transaction_id, line = read_token(filters, token, [int, str, int])
    try:
        effective_at = BEGINNING + timedelta(microseconds=int(moment))
    except OverflowError as error:
        raise InvalidRequest.field("page_token", "is none of ours") from error
    return effective_at, *to_position(str(transaction_id), int(line))
