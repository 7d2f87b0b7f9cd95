"""`paymesh.ledger.v1.LedgerService` as it would be without batches; what the load needs of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2, report_pb2
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceServicer

from benchmarks.row_at_a_time import ledger_sql as sql
from chassis.database import Database, Transaction

Row = Mapping[str, Any]
_DEBIT_NORMAL = ("ASSET", "EXPENSE")


class LedgerRows(LedgerServiceServicer):
    """Posts each transaction by itself: by one function call, or a statement at a time."""

    def __init__(self, database: Database, *, by_function: bool) -> None:
        self._database = database
        self._post = self._by_function if by_function else self._by_statements

    async def OpenAccounts(
        self, request: service.OpenAccountsRequest, context: Any
    ) -> service.OpenAccountsResponse:
        """Open accounts, and read them as they are."""
        ids = [account.account_id for account in request.accounts]
        types = [noun.Account.Type.Name(account.type) for account in request.accounts]
        currencies = [account.currency for account in request.accounts]
        await self._database.run(lambda tx: tx.execute(sql.OPEN, (ids, types, currencies)))
        found = await self._database.read(sql.ACCOUNTS, (ids,))
        accounts = {
            row["account_id"]: noun.Account(
                account_id=row["account_id"],
                balance=str(row["balance"]),
                entry_count=row["entry_count"],
            )
            for row in found
        }
        return service.OpenAccountsResponse(
            results=[service.OpenAccountResult(account=accounts[id_]) for id_ in ids]
        )

    async def PostTransactions(
        self, request: service.PostTransactionsRequest, context: Any
    ) -> service.PostTransactionsResponse:
        """Post transactions one after the other."""
        results = [_result(posting, await self._post(posting)) for posting in request.postings]
        return service.PostTransactionsResponse(results=results)

    async def GetTrialBalance(
        self, request: service.GetTrialBalanceRequest, context: Any
    ) -> service.GetTrialBalanceResponse:
        """Sum the entries."""
        rows = await self._database.run(lambda tx: tx.all(sql.TRIAL_BALANCE), timeout_s=120.0)
        return service.GetTrialBalanceResponse(
            lines=[
                report_pb2.TrialBalanceLine(
                    currency=row["currency"],
                    difference=str(row["debits"] - row["credits"]),
                )
                for row in rows
            ]
        )

    async def _by_function(self, posting: posting_pb2.Posting) -> Row:
        debit, credit = posting.entries
        texts = (posting.reference, posting.description, posting.subject_id)
        sides = (debit.account_id, credit.account_id, Decimal(debit.amount), debit.currency)
        (row,) = await self._database.read(sql.CALL, (*texts, *sides))
        return row

    async def _by_statements(self, posting: posting_pb2.Posting) -> Row:
        return await self._database.run(lambda tx: _post(tx, posting))


async def _post(tx: Transaction, posting: posting_pb2.Posting) -> Row:
    debit, credit = posting.entries
    amount, ids = Decimal(debit.amount), [debit.account_id, credit.account_id]
    locked = await tx.all(sql.LOCK, (ids, debit.currency))
    accounts = {row["account_id"]: row for row in locked}
    stored = await tx.all(sql.FIND, (posting.reference,))
    if stored:
        return stored[0]
    texts = (posting.reference, posting.description, posting.subject_id)
    (new,) = await tx.all(sql.INSERT_TRANSACTION, texts)
    answer = dict(new)
    for line, (entry, side) in enumerate(((debit, "DEBIT"), (credit, "CREDIT")), start=1):
        account = accounts[entry.account_id]
        adds = (account["type"] in _DEBIT_NORMAL) == (side == "DEBIT")
        balance = account["balance"] + (amount if adds else -amount)
        sequence = account["entry_count"] + 1
        written = (new["o_transaction_id"], line, entry.account_id, side, amount, entry.currency)
        await tx.execute(sql.INSERT_ENTRY, (*written, balance, sequence))
        await tx.execute(sql.UPDATE_ACCOUNT, (balance, sequence, entry.account_id))
        answer[f"o_{side.lower()}_balance"] = balance
        answer[f"o_{side.lower()}_sequence"] = sequence
    return answer


def _result(posting: posting_pb2.Posting, row: Row) -> posting_pb2.PostingResult:
    created_at = Timestamp()
    created_at.FromDatetime(row["o_created_at"])
    # A replay is answered without its entries; the load never asks for one.
    sides = () if row["o_replayed"] else ("debit", "credit")
    entries = [
        noun.Entry(
            transaction_id=str(row["o_transaction_id"]),
            account_id=asked.account_id,
            side=asked.side,
            amount=asked.amount,
            currency=asked.currency,
            balance_after=str(row[f"o_{side}_balance"]),
            account_sequence=row[f"o_{side}_sequence"],
            created_at=created_at,
            reference=posting.reference,
        )
        for asked, side in zip(posting.entries, sides, strict=False)
    ]
    return posting_pb2.PostingResult(
        transaction=noun.Transaction(
            transaction_id=str(row["o_transaction_id"]),
            reference=posting.reference,
            description=posting.description,
            subject_id=posting.subject_id,
            effective_at=created_at,
            created_at=created_at,
            entries=entries,
        ),
        replayed=row["o_replayed"],
    )
