"""Serves the wallets: `python -m wallet_svc`."""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1 import wallet_service_pb2_grpc as wire

from audit_log.wiring import with_audit_log
from chassis import server
from chassis.channel import open_channel
from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings
from wallet_svc.jobs import hold_expiry, ledger_comparison
from wallet_svc.ledger_books import LedgerBooks
from wallet_svc.reader import WalletReader
from wallet_svc.servicer import WalletServicer
from wallet_svc.settings import WalletSettings
from wallet_svc.store import WalletStore
from wallet_svc.unlogged import UNLOGGED
from wallet_svc.watching import Watching


async def build(told: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service to its database, and to the ledger if it is told where that is.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = WalletSettings.read(environment)
    faults = FaultPoints.parse(told.fault_points, told.environment)
    database = Database(
        settings.database_url.reveal(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    stack.push_async_callback(database.close)
    await database.open()
    store = WalletStore(database, batches_in_flight=settings.batches_in_flight, faults=faults)
    reader = WalletReader(database, report_timeout_s=settings.report_timeout_s)
    watching = Watching(
        reader.changed,
        every_s=settings.watch_every_s,
        watchers_max=told.rpc_count_max // 2,  # the rest is for who moves money
    )
    stack.push_async_callback(watching.close)
    jobs = [hold_expiry(store, settings.expire_every_s)]
    books = _books(settings.ledger_target, stack)
    if books is not None:
        jobs.append(ledger_comparison(reader, books, utc_now, settings.compare_every_s))
    servicer = WalletServicer(store, reader, watching, books)
    wiring = Wiring(
        register=[partial(wire.add_WalletServiceServicer_to_server, servicer)],
        names=[service.DESCRIPTOR.services_by_name["WalletService"].full_name],
        jobs=jobs,
    )
    return with_audit_log(wiring, database, UNLOGGED)


def _books(target: str, stack: AsyncExitStack) -> LedgerBooks | None:
    if not target:
        return None
    channel = open_channel(target, ledger.DESCRIPTOR.services_by_name["LedgerService"])
    stack.push_async_callback(channel.close)
    return LedgerBooks(LedgerServiceStub(channel))


if __name__ == "__main__":
    server.main("wallet_svc", "wallet.paymesh", build)
