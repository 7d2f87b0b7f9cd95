"""What the gateway keeps encrypted, and how rows of before come to be so."""

from collections.abc import Sequence

import psycopg
import pytest
from psycopg.types.json import Jsonb

from chassis.data_keys import rewrap, status
from chassis.database import Database
from chassis.encryption import Undecipherable
from chassis.money import Money
from psp_gateway.bank_store import OrderStore
from psp_gateway.private import BODY, PRIVATE
from psp_gateway.providers.bank.orders import Draft
from psp_gateway.providers.bank.provider import PaymentFile
from psp_gateway.providers.bank.transfers import CreditTransfer
from psp_gateway.store import AttemptStore
from tests.builders import NOW
from tests.conftest import opened
from tests.servers import ServiceDatabase

CANARY = "canary"
IBAN = "GB33BUKB20201555555555"  # pragma: allowlist secret
_ATTEMPT = """
INSERT INTO attempts (attempt_id, kind, payment_id, client_id, psp, amount, currency, fingerprint,
    charge_attempt_id, charge_reference, created_at, stage, outcome, delivery, psp_reference,
    reason, psp_code, message, redirect_url, request_count, version, updated_at, psps_tried)
VALUES ('att_1', 'CHARGE', 'pay_1', 'demo', 'stripe', 1, 'EUR', 'f', '', '', now(), 'CONFIRM',
    'ACTION_REQUIRED', 'ANSWERED', 'pi_1', '', '', '', 'https://psp.example/canary', 1, 1, now(),
    '')
"""
_PAYOUT = """
INSERT INTO payouts (attempt_id, payout_id, client_id, psp, amount, currency, fingerprint, state,
    delivery, psp_reference, reason, psp_code, message, request_count, version, created_at,
    updated_at, key_since)
VALUES ('att_2', 'pout_1', 'demo', 'bank', 1, 'EUR', 'f', 'SUBMITTED', 'ANSWERED', '', '', '', '',
    1, 1, now(), now(), now())
"""
_ORDER = """
INSERT INTO bank_orders (attempt_id, end_to_end_id, amount, currency, creditor_name, creditor_iban,
    creditor_bic, remittance, ordered_at)
VALUES ('att_2', 'E1', 1, 'EUR', 'Jo canary', %s, 'WESTGB2L', 'for May', now())
"""
_WEBHOOK = """
INSERT INTO webhooks (webhook_id, psp, headers, body, received_at)
VALUES ('whk_1', 'stripe', %s, %s, now())
"""
_FILE = """
INSERT INTO bank_files (message_id, name, content, sha256, created_at)
VALUES ('M1', 'n', %s, 's', now())
"""


def rows_of_before(database: ServiceDatabase) -> None:
    """Put a row into each table as it was stored before there was encryption."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(_ATTEMPT)
        connection.execute(_PAYOUT)
        connection.execute(_ORDER, [IBAN])
        connection.execute(_WEBHOOK, [Jsonb([]), b"a canary"])
        connection.execute(_FILE, [f"<IBAN>{IBAN}</IBAN> canary".encode()])


def raw(database: ServiceDatabase) -> str:
    """Read all that may be private, bytes as hex."""
    with psycopg.connect(database.owner_url) as connection:
        return "".join(
            str(connection.execute(f"SELECT t::text FROM {where.table} AS t".encode()).fetchall())
            for where in PRIVATE
        )


def in_the_plain(text: str) -> bool:
    """Whether a canary is in a text, as it is or as the hex of bytes."""
    return any(one in text or one.encode().hex() in text for one in (CANARY, IBAN))


async def move(database: ServiceDatabase) -> None:
    """Do what an operator does once, after the deployment."""
    owner = Database(database.owner_url, connections=2, keyring=database.keyring())
    await owner.open()
    before = await status(owner, PRIVATE)
    await rewrap(owner, PRIVATE, lambda _: None)
    after = await status(owner, PRIVATE)
    await owner.close()

    assert (before["plain"], before["left"]) == (4, 4)
    assert (after["plain"], after["left"], after["data_keys"][0]["values"]) == (0, 0, 4)


@pytest.mark.parametrize("is_moved", [False, True], ids=["before it was moved", "afterwards"])
async def test_rows_of_before_mean_the_same(psp_database: ServiceDatabase, is_moved: bool) -> None:
    """The page of a charge, an order to the bank and its file are read as they were stored."""
    rows_of_before(psp_database)
    if is_moved:
        await move(psp_database)
    filed: list[CreditTransfer] = []
    handed: list[tuple[str, bytes]] = []

    def draft(orders: Sequence[CreditTransfer]) -> Draft:
        filed.extend(orders)
        file = PaymentFile(name="f", content=b"canary", sha256="s")
        return Draft("M2", file)

    async with opened(psp_database) as app:
        attempts = AttemptStore(app, lambda _, __: True, lambda _: False)
        (attempt,) = await attempts.find(["att_1"])
        book = OrderStore(app)
        is_plain = in_the_plain(raw(psp_database))
        await book.collect(draft, 10, NOW)
        for copy in ("c1", "c2"):
            await book.hand_over(lambda *given: handed.append(given), copy, NOW)

    assert attempt.redirect_url == "https://psp.example/canary"
    assert is_plain is not is_moved
    (order,) = filed
    kept = (order.creditor_name, order.creditor_iban, order.creditor_bic, order.remittance)
    assert kept == ("Jo canary", IBAN, "WESTGB2L", "for May")
    assert sorted(handed) == [("M1", f"<IBAN>{IBAN}</IBAN> canary".encode()), ("M2", b"canary")]


async def test_a_new_order_rests_encrypted_until_it_is_filed(psp_database: ServiceDatabase) -> None:
    """Who is paid is in no row in the plain, and in the file's content as little."""
    rows_of_before(psp_database)
    await move(psp_database)
    with psycopg.connect(psp_database.owner_url) as connection:
        connection.execute("DELETE FROM bank_orders")
    amount = Money.parse("1.00", "EUR")
    asked = CreditTransfer("att_2", amount, "Jo canary", IBAN, "WESTGB2L", "for May")
    filed: list[CreditTransfer] = []

    def draft(orders: Sequence[CreditTransfer]) -> Draft:
        filed.extend(orders)
        return Draft("M2", PaymentFile(name="f", content=IBAN.encode(), sha256="s"))

    async with opened(psp_database) as app:
        book = OrderStore(app)
        await book.order(asked, NOW)
        ordered = raw(psp_database)
        await book.collect(draft, 10, NOW)

    assert "att_2" in ordered
    assert filed == [asked]
    assert not in_the_plain(ordered)
    assert not in_the_plain(raw(psp_database))


async def test_what_is_moved_is_refused(psp_database: ServiceDatabase) -> None:
    """The body of a webhook in the place of a charge's page is not shown as one."""
    rows_of_before(psp_database)
    await move(psp_database)
    with psycopg.connect(psp_database.owner_url) as connection:
        connection.execute(
            "UPDATE attempts SET redirect_url_encrypted = (SELECT body_encrypted FROM webhooks)"
        )

    async with opened(psp_database) as app:
        with pytest.raises(Undecipherable, match="redirect_url_encrypted of att_1"):
            await AttemptStore(app, lambda _, __: True, lambda _: False).find(["att_1"])
        (row,) = await app.read("SELECT webhook_id, body_encrypted FROM webhooks")
        assert app.keyring.decrypt(BODY, row["webhook_id"], row["body_encrypted"]) == b"a canary"


async def test_the_service_may_not_change_what_it_keeps(psp_database: ServiceDatabase) -> None:
    """Webhooks and data keys are rewritten by the schema's owner alone."""
    async with opened(psp_database) as app:
        for table in ("webhooks", "data_keys"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await app.read(f"DELETE FROM {table} RETURNING 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await app.read("UPDATE webhooks SET body_encrypted = NULL RETURNING 1")
