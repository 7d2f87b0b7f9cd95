"""Keeps orders to a bank, and the files that they are in, in PostgreSQL."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from chassis.encryption import Keyring, Undecipherable
from chassis.money import Money
from psp_gateway.private import CREDITOR, FILE
from psp_gateway.providers.bank.orders import Draft
from psp_gateway.providers.bank.transfers import CreditTransfer

_ORDER = """
INSERT INTO bank_orders (attempt_id, end_to_end_id, amount, currency, creditor_encrypted,
    ordered_at, creditor_name, creditor_iban, creditor_bic, remittance)
VALUES (%s, %s, %s, %s, %s, %s, '', '', '', '')
ON CONFLICT (attempt_id) DO NOTHING
"""
_IS_ORDERED = "SELECT 1 FROM bank_orders WHERE attempt_id = %s"
_UNFILED = """
SELECT * FROM bank_orders WHERE message_id IS NULL
ORDER BY ordered_at, attempt_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_FILE = """
INSERT INTO bank_files (message_id, name, content_encrypted, sha256, created_at, content)
VALUES (%s, %s, %s, %s, %s, '')
"""
# In a file: the creditor is not needed here any more.
_FILED = """
UPDATE bank_orders SET message_id = %s, creditor_encrypted = NULL, creditor_name = '',
    creditor_iban = '', creditor_bic = '', remittance = ''
WHERE attempt_id = ANY(%b::text[])
"""
_OLDEST = """
SELECT * FROM bank_files WHERE handed_over_at IS NULL
ORDER BY created_at, message_id LIMIT 10 FOR UPDATE SKIP LOCKED
"""
_HANDED = """
UPDATE bank_files SET handed_over_at = %s, copy = %s, content = '', content_encrypted = NULL
WHERE message_id = %s
"""
_WHICH_HANDED = """
SELECT message_id, copy FROM bank_files
WHERE message_id = ANY(%b::text[]) AND handed_over_at IS NOT NULL
"""
_BY_END_TO_END_ID = """
SELECT * FROM bank_orders WHERE end_to_end_id = ANY(%b::text[]) ORDER BY ordered_at, attempt_id
"""


class OrderStore:
    """`orders.OrderBook` on PostgreSQL.

    Args:
        database: opened as the app role.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def order(self, transfer: CreditTransfer, now: datetime) -> None:
        """See `orders.OrderBook.order`."""

        async def work(tx: Transaction) -> None:
            await tx.execute(_ORDER, [*_order_row(transfer, tx.keyring), now])

        await self._database.run(work)

    async def is_ordered(self, attempt_id: str) -> bool:
        """See `orders.OrderBook.is_ordered`."""
        return bool(await self._database.read(_IS_ORDERED, [attempt_id]))

    async def collect(
        self, draft: Callable[[Sequence[CreditTransfer]], Draft | None], limit: int, now: datetime
    ) -> int:
        """See `orders.OrderBook.collect`."""

        async def work(tx: Transaction) -> int:
            # One that was tampered with waits, is logged and counted, and keeps nobody back.
            transfers = list(_readable(await tx.all(_UNFILED, [limit]), tx.keyring))
            made = draft(transfers) if transfers else None
            if made is None:
                return 0
            filed = [t.attempt_id for t in transfers if t.attempt_id not in made.left_out]
            file = made.file
            content = tx.keyring.encrypt(FILE, made.message_id, file.content)
            await tx.execute(_FILE, [made.message_id, file.name, content, file.sha256, now])
            await tx.execute(_FILED, [made.message_id, filed])
            return len(filed)

        return await self._database.run(work)

    async def hand_over(self, put: Callable[[str, bytes], None], copy: str, now: datetime) -> str:
        """See `orders.OrderBook.hand_over`."""

        async def work(tx: Transaction) -> str:
            for row in await tx.all(_OLDEST):
                try:
                    kept = tx.keyring.decrypt(FILE, row["message_id"], row["content_encrypted"])
                except Undecipherable:
                    continue  # logged and counted; the files after it are not kept back
                put(row["message_id"], bytes(row["content"]) if kept is None else kept)
                await tx.execute(_HANDED, [now, copy, row["message_id"]])
                return str(row["message_id"])
            return ""

        return await self._database.run(work)

    async def handed_over(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """See `orders.OrderBook.handed_over`."""
        found = await self._database.read(_WHICH_HANDED, [list(message_ids)])
        return {row["message_id"]: row["copy"] for row in found}

    async def ordered_as(self, end_to_end_ids: Sequence[str]) -> Sequence[CreditTransfer]:
        """See `orders.OrderBook.ordered_as`."""
        found = await self._database.read(_BY_END_TO_END_ID, [list(end_to_end_ids)])
        return [_to_transfer(row, self._database.keyring) for row in found]


def _order_row(transfer: CreditTransfer, keyring: Keyring) -> list[object]:
    creditor = {
        "name": transfer.creditor_name,
        "iban": transfer.creditor_iban,
        "bic": transfer.creditor_bic,
        "remittance": transfer.remittance,
    }
    return [
        transfer.attempt_id,
        transfer.end_to_end_id,
        transfer.amount.amount,
        transfer.amount.currency,
        keyring.encrypt(CREDITOR, transfer.attempt_id, json.dumps(creditor)),
    ]


def _readable(found: Iterable[DictRow], keyring: Keyring) -> Iterator[CreditTransfer]:
    for row in found:
        with suppress(Undecipherable):
            yield _to_transfer(row, keyring)


def _to_transfer(row: DictRow, keyring: Keyring) -> CreditTransfer:
    kept = keyring.text(CREDITOR, row["attempt_id"], row["creditor_encrypted"], None)
    creditor = json.loads(kept) if kept is not None else _in_the_plain(row)
    return CreditTransfer(
        attempt_id=row["attempt_id"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        creditor_name=creditor["name"],
        creditor_iban=creditor["iban"],
        creditor_bic=creditor["bic"],
        remittance=creditor["remittance"],
    )


def _in_the_plain(row: DictRow) -> Mapping[str, str]:
    """Read an order of before encryption, or one that is in a file and empty here."""
    names = ("creditor_name", "creditor_iban", "creditor_bic", "remittance")
    return {name.removeprefix("creditor_"): row[name] for name in names}
