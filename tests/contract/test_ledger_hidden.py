"""Verification of books that were meddled with where it might not look, or while it looks."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.verification import OffenceKind
from ledger_svc.ports import Stretch
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.verification_reader import VerificationReader
from tests.contract.four_months import Ledger, four_months, month_after, name_of
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import new_account

_HIDE = """
INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference, description,
    subject_id, hash)
VALUES (%(id)s, now(), now(), 'POSTED', 'hidden', '', '', sha256(''))
"""
_HIDE_ENTRIES = """
INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit, amount,
    balance_after)
VALUES (1, 9, %(id)s, 1, true, 1, 500), (2, 9, %(id)s, 2, false, 1, 500)
"""


@pytest.fixture
async def ledger(ledger_db: Database, ledger_database: ServiceDatabase) -> Ledger:
    """Books of four months."""
    return await four_months(ledger_db, ledger_database.owner_url)


@pytest.mark.parametrize("stream", [1, 77])
@pytest.mark.parametrize("statements", [[_HIDE, _HIDE_ENTRIES], [_HIDE_ENTRIES]])
async def test_what_is_hidden_behind_the_end_of_a_stream_is_told(
    ledger: Ledger, statements: list[Any], stream: int
) -> None:
    """With its transaction or without; balances at a time would be taken from it. So the month is
    not closed.
    """
    name = chain.transaction_id(month_after(1) + timedelta(days=20), stream, 999)
    with psycopg.connect(ledger.owner_url) as owner:
        for statement in statements:
            owner.execute(statement, {"id": name[4:]})

    (offence,), _ = await ledger.verify()

    assert offence.kind is OffenceKind.WRONG_STREAM
    assert name in offence.subject + offence.message
    with pytest.raises(errors.BooksUnsound):
        await ledger.close(month_after(1))
    assert (await ledger.close(month_after(0))).number == 1


@pytest.mark.parametrize("statements", [[_HIDE, _HIDE_ENTRIES], [_HIDE_ENTRIES]])
async def test_what_is_hidden_before_the_first_id_is_told(
    ledger: Ledger, statements: list[Any]
) -> None:
    """The lowest of all, which no transaction has."""
    with psycopg.connect(ledger.owner_url) as owner:
        for statement in statements:
            owner.execute(statement, {"id": chain.NOTHING[4:]})

    (offence,), _ = await ledger.verify()

    assert (offence.kind, offence.subject) == (OffenceKind.WRONG_STREAM, "stream 0")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint_balances SET balance = balance + 100 WHERE number = 1",
        "UPDATE checkpoint_balances SET entry_count = 9 WHERE number = 2",
        "UPDATE checkpoint_balances SET number = -1 WHERE number = 1",
        "UPDATE checkpoint_balances SET number = 9 WHERE number = 2",
        "DELETE FROM checkpoint_balances WHERE number = 1 AND account_key = 1",
        "INSERT INTO checkpoint_balances VALUES (3, 1, 100, 0)",
        "INSERT INTO checkpoint_balances VALUES (3, 1, 100, 1)",
        "INSERT INTO checkpoint_balances VALUES (3, -1, 100, 1)",
    ],
)
@pytest.mark.parametrize("is_archived", [False, True])
async def test_changed_balances_of_any_checkpoint_are_found(
    ledger: Ledger, statement: Any, *, is_archived: bool
) -> None:
    """Reports are read off them, be what they cover archived or not."""
    store = LedgerStore(ledger.database)
    await store.open_accounts([new_account("unused", AccountType.LIABILITY)])  # key 3
    await ledger.close(month_after(0))
    await ledger.close(month_after(1))
    if is_archived:
        ledger.archive(month_after(2))
    assert (await ledger.verify())[0] == []
    with psycopg.connect(ledger.owner_url) as owner:
        assert owner.execute(statement).rowcount > 0

    offences, _ = await ledger.verify()

    assert "WRONG_CHECKPOINT" in {one.kind for one in offences}


async def test_a_month_that_is_archived_meanwhile_does_not_make_the_books_unsound(
    ledger: Ledger,
) -> None:
    """What is missing then is no offence; so there is no verdict."""
    await ledger.close(month_after(0))

    class Interrupted(VerificationReader):
        async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
            if not after:
                ledger.archive(month_after(1))
            return await super().stretch(after, before=before, limit=limit)

    books, told = Interrupted(ledger.database), list[object]()
    with pytest.raises(Unavailable):
        told += [one async for one in verify_ledger(books)]

    assert not any(isinstance(one, Summary) for one in told)
    assert (await ledger.verify())[0] == []


async def test_a_month_that_lost_to_an_earlier_one_is_not_said_to_be_closed(ledger: Ledger) -> None:
    """Of two closings at once one keeps its checkpoint; the other is to be asked for again."""

    class Slow(VerificationReader):
        async def keep(self, *made: Any) -> None:
            await ledger.close(month_after(0))
            await super().keep(*made)

    slow = Slow(ledger.database, clock=ledger.clock)
    with pytest.raises(Unavailable):
        _ = [one async for one in close_month(slow, name_of(month_after(1)), ledger.clock)]

    assert (await ledger.close(month_after(1))).number == 2
