"""Serves the ledger: `python -m ledger_svc`."""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import ledger_service_pb2_grpc as wire

from audit_log.wiring import with_audit_log
from chassis import server
from chassis.database import Database
from chassis.faults import FaultPoints
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings
from ledger_svc import jobs
from ledger_svc.reader import LedgerReader
from ledger_svc.servicer import LedgerServicer
from ledger_svc.settings import LedgerSettings
from ledger_svc.store import LedgerStore
from ledger_svc.unlogged import UNLOGGED
from ledger_svc.verification_reader import VerificationReader


async def build(told: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service to its database.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = LedgerSettings.read(environment)
    faults = FaultPoints.parse(told.fault_points, told.environment)
    database = Database(
        settings.database_url.reveal(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    stack.push_async_callback(database.close)
    await database.open()
    store = LedgerStore(database, batches_in_flight=settings.batches_in_flight, faults=faults)
    reader = LedgerReader(database, report_timeout_s=settings.report_timeout_s)
    verification = VerificationReader(database, report_timeout_s=settings.report_timeout_s)
    servicer = LedgerServicer(store, reader, verification, proofs_at_once=settings.proofs_at_once)
    wiring = Wiring(
        register=[partial(wire.add_LedgerServiceServicer_to_server, servicer)],
        names=[service.DESCRIPTOR.services_by_name["LedgerService"].full_name],
        jobs=[
            jobs.expiry(store, settings.expire_every_s),
            jobs.sealer(verification, settings.seal_every_s),
            jobs.months(database, settings.months_ahead),
        ],
    )
    return with_audit_log(wiring, database, UNLOGGED)


if __name__ == "__main__":
    server.main("ledger_svc", "ledger.paymesh", build)
