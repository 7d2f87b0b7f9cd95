"""The webhooks' parts put together, for `__main__`."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from payment_svc.domain.payment import NewId
from payment_svc.webhooks.courier import Courier
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.postman import HttpPostman
from payment_svc.webhooks.queue import PostgresWebhookQueue
from payment_svc.webhooks.servicer import PublicWebhookService
from payment_svc.webhooks.settings import WebhookSettings
from payment_svc.webhooks.store import PostgresWebhookStore


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What `__main__` serves and runs; setting `wake` has the queue looked at."""

    database: Database
    settings: WebhookSettings
    queue: PostgresWebhookQueue
    courier: Courier
    wake: asyncio.Event

    @classmethod
    async def open(
        cls,
        database: Database,
        settings: WebhookSettings,
        owner: str,
        faults: FaultPoints,
        stack: AsyncExitStack,
    ) -> "Webhooks":
        """Build the parts; what they open goes on the exit stack."""
        wake = asyncio.Event()
        queue = PostgresWebhookQueue(
            database, owner=owner, lease=settings.lease, per_endpoint=settings.per_endpoint_max
        )
        postman = HttpPostman(
            settings.rules,
            settings.keys,
            clock=utc_now,
            timeout_s=settings.timeout_s,
            connections_max=settings.in_flight_max,
        )
        courier = Courier(
            queue,
            await stack.enter_async_context(postman),
            clock=utc_now,
            schedule=settings.schedule,
            in_flight_max=settings.in_flight_max,
            faults=faults,
            ended=wake.set,
        )
        return cls(database, settings, queue, courier, wake)

    def servicer(self, new_id: NewId, fingerprint_key: bytes) -> PublicWebhookService:
        """Make the servicer."""
        return PublicWebhookService(
            PostgresWebhookStore(self.database),
            PostgresWebhookLog(self.database),
            rules=self.settings.rules,
            keys=self.settings.keys,
            clock=utc_now,
            new_id=new_id,
            fingerprint_key=fingerprint_key,
            due=self.wake.set,
        )
