"""Books of four months on a real database, to be closed, archived and verified."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from chassis.database import Database
from ledger_svc.domain.books import Outcome, Posted
from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.domain.posting import Command
from ledger_svc.domain.verification import Offence
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.verification_reader import VerificationReader
from tests.unit.ledger_svc.builders import open_two, posting

# The months to come have tables of their own; what is before them is one.
NOW = datetime.now(UTC)


def month_after(count: int) -> datetime:
    """Tell when the month begins that comes so many months after this one."""
    months = NOW.year * 12 + NOW.month - 1 + count
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def name_of(month: datetime) -> str:
    """Write a month as the RPC takes it."""
    return f"{month:%Y-%m}"


@dataclass
class Ledger:
    """Books of four months, two transactions in each, and a clock that stands in the fifth."""

    database: Database
    owner_url: str
    now: datetime
    few: int = 10_000

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    @property
    def books(self) -> VerificationReader:
        """Read for verification."""
        return VerificationReader(self.database, clock=self.clock)

    @property
    def reader(self) -> LedgerReader:
        """Read for reports."""
        return LedgerReader(self.database, few=self.few, clock=self.clock)

    async def do(self, command: Command, at: datetime | None = None) -> Outcome:
        """Do a command at a time; a writer of its own, so that times need not ascend."""
        store = LedgerStore(self.database, clock=lambda: at or self.now)
        (outcome,) = await store.do([command])
        return outcome

    async def close(self, month: datetime) -> Checkpoint:
        """Close a month."""
        told = [one async for one in close_month(self.books, name_of(month), self.clock)]
        assert isinstance(told[-1], Checkpoint)
        return told[-1]

    def archive(self, until: datetime) -> list[str]:
        """Archive what was written before a time, as an operator does."""
        return self._owner("SELECT archive_until(%s)", until)

    def restore(self, since: datetime) -> list[str]:
        """Bring back what was archived and written since a time."""
        return self._owner("SELECT restore_from(%s)", since)

    def _owner(self, statement: Any, moment: datetime) -> list[str]:
        with psycopg.connect(self.owner_url) as owner:
            return [str(part) for (part,) in owner.execute(statement, [moment])]

    async def verify(self, **how: Any) -> tuple[list[Offence], Summary]:
        """Verify."""
        told = [one async for one in verify_ledger(self.books, **how)]
        summary = told[-1]
        assert isinstance(summary, Summary)
        return [one for one in told if isinstance(one, Offence)], summary


async def four_months(database: Database, owner_url: str) -> Ledger:
    """Write two transactions a month, over four months."""
    made = Ledger(database, owner_url, month_after(4) + timedelta(days=3))
    await open_two(LedgerStore(database))
    for month in range(4):
        for number in range(2):
            at = month_after(month) + timedelta(days=3 + number)
            outcome = await made.do(posting(f"m{month}:{number}", "1.00"), max(at, NOW))
            assert isinstance(outcome, Posted)
    return made
