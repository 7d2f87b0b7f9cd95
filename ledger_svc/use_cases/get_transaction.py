"""Reads a transaction by its reference."""

from ledger_svc.domain.errors import TransactionNotFound
from ledger_svc.domain.transaction import Transaction
from ledger_svc.ports import LedgerReader


async def get_transaction(reader: LedgerReader, reference: str) -> Transaction:
    """Read a transaction with its entries.

    Raises:
        TransactionNotFound: no transaction has the reference.
    """
    transaction = await reader.transaction(reference)
    if transaction is None:
        raise TransactionNotFound(reference)
    return transaction
