"""What reads large books for a person: each report's time, the median of three."""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benchmarks.scale_books import Business, platform, seller
from chassis.database import Database
from ledger_svc.ports import EntryFilter, Period
from ledger_svc.reader import LedgerReader
from ledger_svc.unlogged import UNLOGGED
from ledger_svc.use_cases.export_entries import export_entries
from ledger_svc.use_cases.get_balance import get_balance
from ledger_svc.use_cases.get_effective_statement import get_effective_statement
from ledger_svc.use_cases.get_statement import get_statement
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from ledger_svc.use_cases.list_entries import list_entries
from ledger_svc.use_cases.list_proofs import list_seals
from ledger_svc.verification_reader import VerificationReader

_TIMES = 3
_EXPORTED_MAX = 250_000

Look = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Exported:
    """How many entries an export sent, and how long it took."""

    entries: int
    seconds: float


def reports(database: Database, business: Business) -> Mapping[str, Look]:
    """List the reports: what each is called, and how it is made."""
    reader, books = LedgerReader(database, report_timeout_s=300.0), VerificationReader(database)
    hot, cold = platform("USD"), seller(1)
    early, late = business.month(0) + timedelta(days=10), business.month(3) + timedelta(days=10)
    month = Period(business.month(2), business.month(3))

    def balance(account: str, at: datetime, *, effective: bool = False) -> Look:
        return lambda: get_balance(reader, account, at, by_effective_at=effective)

    def trial(at: datetime | None, *, effective: bool = False) -> Look:
        return lambda: get_trial_balance(reader, at, by_effective_at=effective)

    def statement(make: Any, account: str) -> Look:
        return lambda: make(reader, account, month, page_size=500, page_token="")

    async def seals(before: int) -> None:
        await list_seals(books, before=before, page_size=500, page_token="")

    async def unlogged(since: datetime | None) -> None:
        query = f"SELECT * FROM ({UNLOGGED}) AS u LIMIT 10000"
        await database.run(lambda tx: tx.all(query, {"since": since}), timeout_s=300.0)

    async def listed(which: EntryFilter) -> None:
        await list_entries(reader, which, page_size=500, page_token="")

    return {
        "trial balance, now": trial(None),
        "trial balance, at a time since the last checkpoint": trial(late),
        "trial balance, at a time before the first checkpoint": trial(early),
        "trial balance, by effect, since the last checkpoint": trial(late, effective=True),
        "trial balance, by effect, before the first checkpoint": trial(early, effective=True),
        "balance of a seller, at a time": balance(cold, early),
        "balance of the platform, at a time": balance(hot, early),
        "balance of the platform, by effect, since the last checkpoint": balance(
            hot, late, effective=True
        ),
        "balance of the platform, by effect, before the first checkpoint": balance(
            hot, early, effective=True
        ),
        "statement of a seller, a month, 500 entries": statement(get_statement, cold),
        "statement of the platform, a month, 500 entries": statement(get_statement, hot),
        "statement of the platform, by effect, a month, 500 entries": statement(
            get_effective_statement, hot
        ),
        "entries of the platform, the newest 500": lambda: listed(EntryFilter(hot)),
        "entries of all, the newest 500": lambda: listed(EntryFilter()),
        "seals, the newest 500": lambda: seals(0),
        "seals, 500 from the middle": lambda: seals(80_000),
        "changes that are not logged, of two hours": lambda: unlogged(business.end),
        "changes that are not logged, of all time": lambda: unlogged(None),
    }


async def measure(database: Database, business: Business) -> dict[str, float]:
    """Make each report some times; tell the median of seconds."""
    taken = {}
    for name, look in reports(database, business).items():
        times = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            await look()
            times.append(time.perf_counter() - began)
        taken[name] = statistics.median(times)
    return taken


async def export(database: Database, business: Business, account: str = "") -> Exported:
    """Export entries, of all or of one account, a quarter of a million at most."""
    reader, entries = LedgerReader(database, clock=lambda: business.end), 0
    began = time.perf_counter()
    async for chunk in export_entries(reader, EntryFilter(account), ""):
        entries += len(chunk.entries)
        if entries >= _EXPORTED_MAX:
            break
    return Exported(entries, time.perf_counter() - began)
