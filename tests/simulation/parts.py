"""What the programs of the simulation are made of, and how they do work when a bell rings."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis.ids import new_id
from chassis.telemetry import logger
from payment_svc.operations.wiring import Operations
from payment_svc.ports import Services
from payment_svc.sagas.policy import RetryPolicy
from psp_gateway.ports import Provider
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from tests.simulation.attempts import Attempts
from tests.simulation.books import Assessments, Ledger, WalletBook
from tests.simulation.chance import Chance
from tests.simulation.clockwork import Process, SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.outbox import OutboxTable, Stream
from tests.simulation.payment_place import PaymentPlace
from tests.simulation.payments import Payments
from tests.simulation.psp import Psp
from tests.simulation.resolutions import ResolutionPlace, Resolutions

LEASE = timedelta(seconds=30)
FINGERPRINT_KEY = b"0123456789abcdef"


@dataclass(slots=True)
class Parts:
    """What programs are made of; a mutant exchanges one of them."""

    loop: SimulatedLoop
    chance: Chance
    network: Network
    psps: dict[str, Psp]
    payments: Payments
    attempts: Attempts
    ledger: Ledger
    wallets: WalletBook
    assessments: Assessments
    stream: Stream
    table: OutboxTable
    resolutions: Resolutions
    policy: RetryPolicy
    kill: Callable[[Process], None]
    lease: timedelta = LEASE
    place: type[PaymentPlace] = PaymentPlace
    resolution_place: type[ResolutionPlace] = ResolutionPlace
    operations: type[Operations] = Operations
    services: Callable[[Services], Services] = lambda services: services
    client: Callable[[Any], Any] = lambda client: client
    provider: Callable[[Provider], Provider] = lambda provider: provider
    resolving: Callable[[AttemptResolutionServicer], Any] = lambda servicer: servicer

    def new_id(self, prefix: str) -> str:
        """Make an id of this seed."""
        return new_id(prefix, self.loop.now(), self.chance.bytes)


Job = Coroutine[Any, Any, None]
Program = Callable[[Parts, Process], tuple[Any, Sequence[Job]]]


async def whenever(bell: asyncio.Event, work: Callable[[], Awaitable[bool]]) -> None:
    """Do work as `chassis.server.repeat` does, at each ring of a bell: the disks ring when
    something is due, which saves the polling of ten days.
    """
    while True:
        bell.clear()
        try:
            if await work():
                continue
        except Exception as error:  # noqa: BLE001 - a loop must outlive any failure
            logger().warning("job_failed", error=repr(error))
        await bell.wait()
