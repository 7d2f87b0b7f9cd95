"""Tells an account's story over a period."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.errors import InvalidRequest
from chassis.money import Money
from ledger_svc.domain.account import Account
from ledger_svc.domain.transaction import ListedEntry
from ledger_svc.ports import BalanceAt, EntryFilter, LedgerReader, Period
from ledger_svc.use_cases.archive import require_kept
from ledger_svc.use_cases.get_balance import find_account
from ledger_svc.use_cases.list_entries import list_entries


@dataclass(frozen=True, slots=True)
class Statement:
    """What an account had before a period and at its end, and a page of its entries, the oldest
    first. `entry_count` is of the whole period.
    """

    account: Account
    opening_balance: Money
    closing_balance: Money
    entry_count: int
    entries: Sequence[ListedEntry]
    next_page_token: str


async def get_statement(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    """Make a statement, all of one moment; pages as `list_entries` has them.

    Raises:
        AccountNotFound: there is none.
        InvalidRequest: the period ends before it starts, or the token is of another statement.
        PeriodArchived: a part of it is archived.
    """
    require_order(period)
    made = await reader.at_one_moment(
        lambda now: _make(now, account_id, period, page_size=page_size, page_token=page_token)
    )
    await require_kept(reader, period.start)
    return made


async def _make(
    reader: LedgerReader, account_id: str, period: Period, *, page_size: int, page_token: str
) -> Statement:
    account = await find_account(reader, account_id)
    opening = BalanceAt(Money.zero(account.currency), 0)
    if period.start is not None:
        opening = await reader.balance_before(account, period.start)
    closing = BalanceAt(account.balance, account.standing.entry_count)
    if period.end is not None:
        closing = await reader.balance_before(account, period.end)
    page = await list_entries(
        reader,
        EntryFilter(account_id=account_id, period=period),
        page_size=page_size,
        page_token=page_token,
        oldest_first=True,
    )
    return Statement(
        account,
        opening.balance,
        closing.balance,
        closing.entry_count - opening.entry_count,
        page.entries,
        page.next_page_token,
    )


def require_order(period: Period, field: str = "to") -> None:
    """Make sure that a period does not end before it starts; `field` is its end's name.

    Raises:
        InvalidRequest: it does.
    """
    if period.start and period.end and period.end < period.start:
        start = f"{field.removesuffix('to')}from"
        raise InvalidRequest.field(field, f"must not be before `{start}`")
