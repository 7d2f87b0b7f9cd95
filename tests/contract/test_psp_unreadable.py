"""A row of the gateway's that was tampered with is refused by name, and keeps nobody else back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.encryption import Undecipherable
from chassis.money import Money
from psp_gateway.bank_store import OrderStore
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.inbox_store import InboxStore
from psp_gateway.late_look_store import LateLookStore
from psp_gateway.ports import TakenUp
from psp_gateway.providers.bank.orders import Draft
from psp_gateway.providers.bank.provider import PaymentFile
from psp_gateway.providers.bank.transfers import CreditTransfer
from psp_gateway.store import AttemptStore
from tests.builders import NOW
from tests.conftest import opened
from tests.contract.test_psp_encryption import IBAN
from tests.servers import ServiceDatabase

_ATTEMPT: LiteralString = """
INSERT INTO attempts (attempt_id, kind, payment_id, client_id, psp, amount, currency, fingerprint,
    charge_attempt_id, charge_reference, created_at, stage, outcome, delivery, psp_reference,
    reason, psp_code, message, redirect_url, redirect_url_encrypted, request_count, version,
    updated_at, psps_tried)
VALUES (%s, 'CHARGE', 'pay_1', 'demo', 'stripe', 1, 'EUR', 'f', '', '', now(), 'CONFIRM',
    'ACTION_REQUIRED', 'ANSWERED', %s, '', '', '', '', %s, 1, 1, now(), '')
"""


async def attempts(database: ServiceDatabase) -> None:
    """Keep one attempt whose page was tampered with, and one that is whole."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(_ATTEMPT, ["att_bad", "pi_bad", b"\x01"])
        connection.execute(_ATTEMPT, ["att_good", "pi_good", None])


def event(reference: str) -> PspEvent:
    """Make what a PSP tells of a charge."""
    return PspEvent("stripe", f"evt_{reference}", "charge", Subject.CHARGE, reference)


async def test_events_of_others_are_applied(psp_database: ServiceDatabase) -> None:
    """In a batch with one that concerns it; that one finds nobody, and is parked."""
    await attempts(psp_database)
    async with opened(psp_database) as app:
        inbox = InboxStore(app, utc_now)
        found = await inbox.concerned([event("pi_bad"), event("pi_good")])

    assert [[a.attempt_id for a in each] for each in found] == [[], ["att_good"]]


async def test_calls_for_others_are_answered(psp_database: ServiceDatabase) -> None:
    """Those that are taken up together with it; its own call hears why."""
    await attempts(psp_database)
    async with opened(psp_database) as app:
        store = AttemptStore(app, lambda _, __: True, lambda _: False)
        (good,) = await store.find(["att_good"])
        asked = [replace(good, attempt_id=name) for name in ("att_good", "att_bad", "att_new")]
        answers = await asyncio.gather(
            *(store.take_up_charge(one) for one in asked), return_exceptions=True
        )

    assert [type(one) for one in answers] == [TakenUp, Undecipherable, TakenUp]
    assert "attempts.redirect_url_encrypted of att_bad is malformed" in str(answers[1])


async def test_looks_are_planned(psp_database: ServiceDatabase) -> None:
    """Where a buyer was sent is not read for it."""
    await attempts(psp_database)
    async with opened(psp_database) as app:
        now = utc_now() + timedelta(minutes=1)
        found = await LateLookStore(app).given_up(now - timedelta(hours=1), now, 10)

    assert sorted(one.attempt_id for one in found) == ["att_bad", "att_good"]


async def tamper(database: Database, table: str, key: str, column: str) -> None:
    """Turn a byte of a ciphertext over; done twice it is whole again."""
    statement = (
        f"UPDATE {table} SET {column} = set_byte({column}, 20, get_byte({column}, 20) # 255)"
    )
    await database.read(f"{statement} WHERE {key} RETURNING 1")  # type: ignore[arg-type]


async def test_orders_to_the_bank_go_on(psp_database: ServiceDatabase) -> None:
    """An order and a file that were tampered with wait; those after them do not. Mended they go."""
    filed: list[str] = []
    handed: list[str] = []

    def draft(orders: Sequence[CreditTransfer]) -> Draft:
        filed.extend(order.attempt_id for order in orders)
        number = len(filed)
        return Draft(f"M{number}", PaymentFile(name="f", content=b"file", sha256="s"))

    def put(message_id: str, _: bytes) -> None:
        handed.append(message_id)

    amount = Money.parse("1.00", "EUR")
    async with opened(psp_database) as app:
        book = OrderStore(app)
        with psycopg.connect(psp_database.owner_url, autocommit=True) as owner:
            for name in ("att_1", "att_2"):
                owner.execute(
                    "INSERT INTO payouts (attempt_id, payout_id, client_id, psp, amount, currency,"
                    " fingerprint, state, delivery, psp_reference, reason, psp_code, message,"
                    " request_count, version, created_at, updated_at, key_since) VALUES (%s, %s,"
                    " 'demo', 'bank', 1, 'EUR', 'f', 'SUBMITTED', 'ANSWERED', '', '', '', '', 1, 1,"
                    " now(), now(), now())",
                    [name, f"pout_{name}"],
                )
                transfer = CreditTransfer(name, amount, "Jo", IBAN, "WESTGB2L", "for May")
                await book.order(transfer, NOW)
        await tamper(app, "bank_orders", "attempt_id = 'att_1'", "creditor_encrypted")
        assert await book.collect(draft, 10, NOW) == 1
        assert await book.collect(draft, 10, NOW) == 0
        await tamper(app, "bank_orders", "attempt_id = 'att_1'", "creditor_encrypted")
        assert await book.collect(draft, 10, NOW + timedelta(seconds=1)) == 1
        await tamper(app, "bank_files", "message_id = 'M1'", "content_encrypted")
        told = [await book.hand_over(put, f"c{n}", NOW) for n in range(2)]
        await tamper(app, "bank_files", "message_id = 'M1'", "content_encrypted")
        told.append(await book.hand_over(put, "c3", NOW))

    assert filed == ["att_2", "att_1"]
    assert handed == ["M2", "M1"]
    assert told == ["M2", "", "M1"]


async def test_whoever_asks_for_it_is_told_why(psp_database: ServiceDatabase) -> None:
    """By table, column and row."""
    await attempts(psp_database)
    async with opened(psp_database) as app:
        store = AttemptStore(app, lambda _, __: True, lambda _: False)
        with pytest.raises(Undecipherable, match="redirect_url_encrypted of att_bad is malformed"):
            await store.find(["att_bad", "att_good"])
