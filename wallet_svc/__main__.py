"""Serves the wallets: `python -m wallet_svc`."""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.wallet.v1 import wallet_service_pb2 as service
from paymesh.wallet.v1 import wallet_service_pb2_grpc as wire

from chassis import server
from chassis.database import Database
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings
from wallet_svc.reader import WalletReader
from wallet_svc.servicer import WalletServicer
from wallet_svc.settings import WalletSettings
from wallet_svc.store import WalletStore


async def build(_: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service to its database.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = WalletSettings.read(environment)
    database = Database(
        settings.database_url,
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    stack.push_async_callback(database.close)
    await database.open()
    servicer = WalletServicer(
        WalletStore(database, batches_in_flight=settings.batches_in_flight),
        WalletReader(database),
    )
    return Wiring(
        register=[partial(wire.add_WalletServiceServicer_to_server, servicer)],
        names=[service.DESCRIPTOR.services_by_name["WalletService"].full_name],
    )


if __name__ == "__main__":
    server.main("wallet_svc", "wallet.paymesh", build)
