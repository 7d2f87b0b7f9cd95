"""Serves a baseline as a service is served: `python -m benchmarks.row_at_a_time`.

The same server, the same gate, the same validation and the same protos, so that what differs from
the service that is measured is the way to the database alone.
"""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import add_LedgerServiceServicer_to_server
from paymesh.wallet.v1 import wallet_service_pb2 as wallet
from paymesh.wallet.v1.wallet_service_pb2_grpc import add_WalletServiceServicer_to_server

from benchmarks.row_at_a_time.ledger_rows import LedgerRows
from benchmarks.row_at_a_time.wallet_rows import WalletRows
from chassis import server
from chassis.database import Database
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings


async def build(_: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the baseline that the environment names.

    ROWS_OF: ledger or wallet. ROWS_BY: function (one call per transaction) or statements.
    ROWS_CONNECTIONS: at once; a call takes one of them for the time of its transaction.
    """
    database = Database(
        environment.text("ROWS_DATABASE_URL"),
        connections=environment.integer("ROWS_CONNECTIONS", 16),
        timeout_s=30.0,
    )
    stack.push_async_callback(database.close)
    await database.open()
    by_function = environment.choice("ROWS_BY", ("function", "statements")) == "function"
    if environment.choice("ROWS_OF", ("ledger", "wallet")) == "ledger":
        # What the load never asks for is UNIMPLEMENTED.
        rows = LedgerRows(database, by_function=by_function)  # type: ignore[abstract]
        return Wiring(
            register=[partial(add_LedgerServiceServicer_to_server, rows)],
            names=[ledger.DESCRIPTOR.services_by_name["LedgerService"].full_name],
        )
    wallets = WalletRows(database, by_function=by_function)  # type: ignore[abstract]
    return Wiring(
        register=[partial(add_WalletServiceServicer_to_server, wallets)],
        names=[wallet.DESCRIPTOR.services_by_name["WalletService"].full_name],
    )


if __name__ == "__main__":
    server.main("row_at_a_time", "baseline.paymesh", build)
