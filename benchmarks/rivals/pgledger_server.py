"""Serves pgledger as our services are served: `python -m benchmarks.rivals.pgledger_server`.

The same server, gate, validation and protos as the ledger's, and the connections of the baseline:
what differs is what is asked of the database. References are not kept: pgledger has no place where
one would be unique.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2
from paymesh.ledger.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)

from benchmarks.rivals import pgledger
from chassis import server
from chassis.database import Database
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings

Row = Mapping[str, Any]

_ONE = "SELECT id, created_at FROM pgledger_create_transfer(%s::text, %s::text, %s::numeric)"
_MANY = """
SELECT id, created_at FROM pgledger_create_transfers((
    SELECT array_agg((debit, credit, amount)::transfer_request ORDER BY place)
    FROM unnest(%s::text[], %s::text[], %s::numeric[])
        WITH ORDINALITY AS asked (debit, credit, amount, place)
))
"""


class Pgledger(LedgerServiceServicer):
    """Posts a request's transactions by one call: all of them or none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = {name: pgledger.account(n) for n, name in enumerate(pgledger.names(), start=1)}

    async def PostTransactions(
        self, request: service.PostTransactionsRequest, context: Any
    ) -> service.PostTransactionsResponse:
        """Post transactions of two entries; what comes back is in the order of the asking."""
        asked = [self._transfer(posting) for posting in request.postings]
        rows: Sequence[Row] = (
            await self._database.read(_ONE, asked[0])
            if len(asked) == 1
            else await self._database.read(_MANY, tuple(map(list, zip(*asked, strict=True))))
        )
        results = [_result(*pair) for pair in zip(request.postings, rows, strict=True)]
        return service.PostTransactionsResponse(results=results)

    def _transfer(self, posting: posting_pb2.Posting) -> tuple[str, str, Decimal]:
        debit, credit = posting.entries
        return self._ids[debit.account_id], self._ids[credit.account_id], Decimal(debit.amount)


def _result(posting: posting_pb2.Posting, row: Row) -> posting_pb2.PostingResult:
    """Tell what its answer tells: an id and a time. Balances it does not give."""
    created_at = Timestamp()
    created_at.FromDatetime(row["created_at"])
    entries = [
        noun.Entry(
            transaction_id=row["id"],
            account_id=entry.account_id,
            side=entry.side,
            amount=entry.amount,
            currency=entry.currency,
            created_at=created_at,
        )
        for entry in posting.entries
    ]
    return posting_pb2.PostingResult(
        transaction=noun.Transaction(
            transaction_id=row["id"],
            effective_at=created_at,
            created_at=created_at,
            entries=entries,
        )
    )


async def build(_: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire it: PGLEDGER_DATABASE_URL, and ROWS_CONNECTIONS as for the baseline."""
    database = Database(
        environment.text("PGLEDGER_DATABASE_URL"),
        connections=environment.integer("ROWS_CONNECTIONS", 16),
        timeout_s=30.0,
    )
    stack.push_async_callback(database.close)
    await database.open()
    rows = Pgledger(database)  # type: ignore[abstract]  # what the load never asks is UNIMPLEMENTED
    return Wiring(
        register=[partial(add_LedgerServiceServicer_to_server, rows)],
        names=[service.DESCRIPTOR.services_by_name["LedgerService"].full_name],
    )


if __name__ == "__main__":
    server.main("pgledger", "baseline.paymesh", build)
