"""Fills a ledger with months of a platform's business, through the service's own batches.

So hashes, sums and streams are what the ledger makes of them, a hundred times as fast as by single
calls. Time is an argument: a quarter of a year is written in a minute.
"""

import asyncio
import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, LiteralString

import psycopg

from chassis.database import Database
from chassis.money import Money
from ledger_svc.domain.account import AccountType, NewAccount, Side
from ledger_svc.domain.chain import Head, place, written_at
from ledger_svc.domain.posting import Action, Command, Line, Posting, Resolution, Reversal
from ledger_svc.domain.seal import Seal, next_seal
from ledger_svc.store import LedgerStore

MONTHS = 4
MONTHS_CLOSED = 2
BUYERS_PER_SELLER = 0.2

_BATCH = 1_000
_AT_ONCE = 2
_OPENED_AT_ONCE = 1_000
_TOLD_EVERY = 100_000
_EURO_EVERY = 10  # each tenth seller is paid in euros
_ENDED_EVERY = 20  # batches between reversals, and ends of what is pending
_REVERSED = 10
_PENDING_EVERY = 500

_TRANSACTIONS: LiteralString = (
    "SELECT 'txn_' || replace(transaction_id::text, '-', '') AS id, hash FROM transactions"
    " ORDER BY transaction_id"
)
_SEALS: LiteralString = "COPY seals (number, sealed_at, heads, hash) FROM STDIN"


class Timepiece:
    """A clock that says what it is told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@dataclass(frozen=True, slots=True)
class Business:
    """What is written.

    Attributes:
        first: the first day; it is in a month that the books have a table for.
    """

    transactions: int
    sellers: int
    first: datetime

    @property
    def buyers(self) -> int:
        """Accounts of buyers."""
        return max(int(self.sellers * BUYERS_PER_SELLER), 1)

    def month(self, number: int) -> datetime:
        """Tell when a month begins, counted from 0."""
        months = self.first.year * 12 + self.first.month - 1 + number
        return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Tell when the last month ends."""
        return self.month(MONTHS)


def first_month_ahead(now: datetime) -> datetime:
    """Tell when the next month begins: from then on, the books have a table for each."""
    return Business(0, 0, now).month(1)


def seller(number: int) -> str:
    """Name a seller's account."""
    return f"seller:scale:{number:06d}:{_currency(number)}"


def platform(currency: str, purpose: str = "clearing") -> str:
    """Name an account of the platform's."""
    return f"psp:scale:{purpose}:{currency}"


async def fill(database: Database, business: Business) -> None:
    """Open the accounts and write all transactions, each month by a process of its own, as it were:
    to another stream.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)  # as the chassis has it
    clock = Timepiece(business.first)
    store = LedgerStore(database, clock=clock)
    accounts = list(_accounts(business))
    for first in range(0, len(accounts), _OPENED_AT_ONCE):
        await store.open_accounts(accounts[first : first + _OPENED_AT_ONCE])
    each = business.transactions // MONTHS
    for month in range(MONTHS):
        store = LedgerStore(database, clock=clock)
        numbers = range(month * each, (month + 1) * each)
        ends = business.month(month), business.month(month + 1)
        await _write_month(store, clock, numbers, ends, business)


async def _write_month(
    store: LedgerStore,
    clock: Timepiece,
    numbers: range,
    month: tuple[datetime, datetime],
    business: Business,
) -> None:
    begin, end = month
    step = (end - begin) / (len(numbers) / _BATCH + 1)
    choose, running, pending = Random(numbers.start), set[asyncio.Task[Any]](), list[str]()
    for place_, first in enumerate(range(numbers.start, numbers.stop, _BATCH)):
        clock.now = begin + place_ * step
        part = range(first, min(first + _BATCH, numbers.stop))
        running.add(asyncio.create_task(_do(store, [_posting(n, choose, business) for n in part])))
        pending += [_reference(n) for n in part if _is_pending(n)]
        if len(running) >= _AT_ONCE:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*done)
        if place_ % _ENDED_EVERY == _ENDED_EVERY - 1:
            await asyncio.gather(*running)
            running = set()
            await _do(store, _ends(part, pending))
        if part.stop % _TOLD_EVERY == 0:
            print(f"{part.stop:,} transactions written")
    await asyncio.gather(*running)


async def _do(store: LedgerStore, commands: Sequence[Command]) -> None:
    for outcome in await store.do(commands):
        if isinstance(outcome, Exception):
            raise outcome


def _accounts(business: Business) -> Iterator[NewAccount]:
    for currency in ("USD", "EUR"):
        yield NewAccount.parse(platform(currency), AccountType.ASSET, currency)
        yield NewAccount.parse(platform(currency, "fees"), AccountType.REVENUE, currency)
        yield NewAccount.parse(platform(currency, "bank"), AccountType.ASSET, currency)
    for number in range(business.sellers):
        yield NewAccount.parse(seller(number), AccountType.LIABILITY, _currency(number))
    for number in range(business.buyers):
        yield NewAccount.parse(_buyer(number), AccountType.LIABILITY, "USD")


def _currency(number: int) -> str:
    return "USD" if number % _EURO_EVERY else "EUR"


def _buyer(number: int) -> str:
    return f"buyer:scale:{number:06d}:USD"


def _reference(number: int) -> str:
    return f"payment:pay_{number:026d}:captured"


def _is_pending(number: int) -> bool:
    return number % _PENDING_EVERY == 0


def _posting(number: int, choose: Random, business: Business) -> Posting:
    """Make a payment with its fee (seven of ten), a payout (two), or a buyer's credit (one)."""
    # In another order with each round of the sellers, so that each has something of all.
    kind = (number + number // business.sellers) % 10
    cents = choose.randrange(500, 10_000)
    if kind == 9:
        lines = _pair(platform("USD"), _buyer(number // 10 % business.buyers), cents, "USD")
    else:
        # A prime, so that all of them have their turn.
        which = number * 7919 % business.sellers
        currency, own = _currency(which), seller(which)
        if kind >= 7:
            lines = _pair(own, platform(currency, "bank"), cents // 50, currency)
        else:
            lines = (
                Line(platform(currency), Side.DEBIT, _money(cents, currency)),
                Line(own, Side.CREDIT, _money(cents - cents // 50, currency)),
                Line(platform(currency, "fees"), Side.CREDIT, _money(cents // 50, currency)),
            )
    return Posting(
        _reference(number),
        lines,
        description="charged by scale",
        subject_id=f"pay_{number:026d}",
        is_pending=_is_pending(number),
        template="captured/1",
    )


def _ends(part: range, pending: list[str]) -> list[Command]:
    """Reverse some, and end what is pending but for one."""
    ends: list[Command] = [
        Reversal(_reference(number), "the buyer sent it back")
        for number in part[:: len(part) // _REVERSED or 1]
        if not _is_pending(number)
    ]
    while len(pending) > 1:
        action = Action.VOID if len(pending) % 4 == 0 else Action.POST
        ends.append(Resolution(pending.pop(), action))
    return ends


def _pair(debit: str, credit: str, cents: int, currency: str) -> tuple[Line, ...]:
    money = _money(cents, currency)
    return Line(debit, Side.DEBIT, money), Line(credit, Side.CREDIT, money)


def _money(cents: int, currency: str) -> Money:
    return Money.parse(f"{cents // 100}.{cents % 100:02d}", currency)


def seal_each_minute(owner_url: str, business: Business) -> int:
    """Seal what was written as often as in so many months of minutes; tell how many seals.

    A seal keeps where the streams were; in so few batches they moved less often than that, so these
    seals keep places within batches too.
    """
    minutes = int((business.end - business.first) / timedelta(minutes=1))
    with psycopg.connect(owner_url) as reader, psycopg.connect(owner_url) as writer:
        (count,) = reader.execute("SELECT count(*) FROM transactions").fetchone() or (0,)
        every, heads, last = max(count // minutes, 1), dict[int, Head](), None
        with (
            reader.cursor("all") as found,
            writer.cursor() as cursor,
            cursor.copy(_SEALS) as copy,
        ):
            found.itersize = 10_000
            for number, (id_, hash_) in enumerate(found.execute(_TRANSACTIONS)):
                stream, place_ = place(id_)
                heads[stream] = Head(stream, place_, hash_)
                if number % every == 0:
                    last = next_seal(last, heads.values(), written_at(id_))
                    assert last is not None
                    copy.write_row(_row(last))
    return last.number if last else 0


def _row(seal: Seal) -> tuple[object, ...]:
    heads = [(head.stream, head.number, head.hash.hex()) for head in seal.heads]
    return seal.number, seal.sealed_at, json.dumps(heads), seal.hash
