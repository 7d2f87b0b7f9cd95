"""Puts the audit of payments together: what serves it, and the job that does it by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from paymesh.payment.v1 import audit_service_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.server import Job
from payment_svc import jobs
from payment_svc.audit_servicer import PaymentAuditService
from payment_svc.audit_store import PostgresAuditStore
from payment_svc.neighbours import Neighbours
from payment_svc.settings import PaymentSettings

_ADD = audit_service_pb2_grpc.add_AuditServiceServicer_to_server


@dataclass(frozen=True, slots=True)
class Auditing:
    """The audit of payments, wired."""

    register: Callable[[Any], None]
    jobs: tuple[Job, ...]

    @classmethod
    def wire(
        cls, database: Database, neighbours: Neighbours, settings: PaymentSettings, clock: Clock
    ) -> "Auditing":
        """Wire it; what is done every 0 seconds nobody does unasked."""
        store, witnesses = PostgresAuditStore(database), neighbours.audit_witnesses
        job = jobs.payment_audit(
            store, witnesses, clock, settings.audit_every_s, settings.audit_window
        )
        books_job = jobs.ledger_audit(neighbours.ledger_books, clock, settings.ledger_audit_every_s)
        asked = ((job, settings.audit_every_s), (books_job, settings.ledger_audit_every_s))
        return cls(
            partial(_ADD, PaymentAuditService(store, witnesses, clock)),
            tuple(one for one, every_s in asked if every_s),
        )
