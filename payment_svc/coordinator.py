"""The coordinator: claims due sagas and walks each one until it parks. It alone awaits; the engine
decides.
"""

import asyncio
import random
import traceback
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import PurePath

from chassis.clock import Clock
from chassis.errors import PaymeshError
from chassis.faults import FaultPoints
from chassis.telemetry import FENCED_WRITES, logger
from payment_svc import tracing
from payment_svc.metrics import SAGA_STEPS, WALKS_FAILED
from payment_svc.ports import LostLease, SagaStore, Services, StalePayment
from payment_svc.retry_budgets import RetryBudgets
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import Command
from payment_svc.sagas.journey import Journey, Move, Progress
from payment_svc.sagas.outcomes import Done, Outcome
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry_budget import Shares

# Reading them in is one piece of work, for which the event loop lets every request wait.
_CLAIMED_AT_ONCE = 32
_steps = cache(SAGA_STEPS.labels)  # as few as there are label sets


class Coordinator:
    """Moves sagas.

    Args:
        in_flight_max: sagas walked at once.
        moved: told of every move that was written; it wakes those who wait for a payment.
        retries: how much of what is asked of our own services may be asked again.
    """

    def __init__(
        self,
        store: SagaStore,
        services: Services,
        *,
        clock: Clock,
        in_flight_max: int,
        policy: RetryPolicy,
        faults: FaultPoints,
        moved: Callable[[Move], None],
        chance: Callable[[], float] = random.random,
        retries: Shares | None = None,
    ) -> None:
        self._store = store
        self._services = services
        self._clock = clock
        self._in_flight_max = in_flight_max
        self._policy = policy
        self._faults = faults
        self._moved = moved
        self._chance = chance
        self._budgets = RetryBudgets(clock, retries)
        self._walks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._log = logger()

    async def claim_and_walk(self) -> bool:
        """Claim as many due sagas as there is room for and start their walks.

        Answers True when there may be more at once.
        """
        room = self._in_flight_max - len(self._walks)
        if room <= 0:
            self._room.clear()
            await self._room.wait()
            return True
        room = min(room, _CLAIMED_AT_ONCE)
        journeys = await self._store.claim(room)
        for journey in journeys:
            walk = asyncio.create_task(self._walk(journey))
            self._walks.add(walk)
            walk.add_done_callback(self._ended)
        return len(journeys) >= room

    async def finish(self) -> None:
        """Wait for the walks under way."""
        if self._walks:
            await asyncio.wait(self._walks)

    def _ended(self, walk: "asyncio.Task[None]") -> None:
        self._walks.discard(walk)
        self._room.set()

    async def _walk(self, journey: Journey) -> None:
        """Walk until the saga parks, ends or is lost; the lease brings back what fails here."""
        progress = journey.progress
        tracing.take_up(progress)
        try:
            while journey.progress.is_runnable:
                journey = await self._step(journey)
        except LostLease:
            FENCED_WRITES.labels("saga").inc()
            self._log.warning("lease_lost", saga_id=progress.saga_id, step=progress.step)
        except Exception as error:  # noqa: BLE001 - one saga must not stop the others
            # An error's text may repeat what was to be stored, tokens too: its class and place do.
            *_, (last, line) = traceback.walk_tb(error.__traceback__)
            place = f"{PurePath(last.f_code.co_filename).name}:{line} {last.f_code.co_name}"
            name = type(error).__name__
            self._log.error("walk_failed", saga_id=progress.saga_id, error=name, place=place)
            await self._stumble(journey.progress, error)

    async def _stumble(self, progress: Progress, error: Exception) -> None:
        """Let go of a saga whose walk failed; the database's own trouble is not held against it."""
        WALKS_FAILED.labels(progress.kind, progress.step).inc()
        blame = not isinstance(error, PaymeshError)
        try:
            await self._faults.reach("stumble.before")
            await self._store.stumbled(progress, type(error).__name__, counts=blame)
            await self._faults.reach("stumble.recorded")
        except Exception as trouble:  # noqa: BLE001 - then the lease brings it back
            self._log.warning("stumble_not_kept", saga_id=progress.saga_id, error=trouble)

    async def _step(self, journey: Journey) -> Journey:
        progress = journey.progress
        saga = SAGAS[progress.kind]
        started_at = self._clock()
        command = engine.command(saga, journey)
        point = f"{progress.kind}.{progress.step}"
        await self._faults.reach(f"{point}.before")
        outcome = Done() if command is None else await self._perform(command, progress)
        await self._faults.reach(f"{point}.after")
        move, journey = await self._record(journey, outcome, started_at)
        await self._faults.reach(f"{point}.recorded")
        self._tell(move)
        return journey

    async def _perform(self, command: Command, progress: Progress) -> Outcome:
        """Have a command performed, unless too much is asked again there already."""
        is_again = progress.is_in_trouble
        put_off = self._budgets.ask(command, is_again=is_again)
        if put_off is not None:
            return put_off
        outcome = await self._services.perform(command)
        self._budgets.heard(command, outcome, is_again=is_again)
        return outcome

    async def _record(
        self, journey: Journey, outcome: Outcome, started_at: datetime
    ) -> tuple[Move, Journey]:
        """Decide what an outcome changes and write it; again, if the payment was changed meanwhile
        by its client or by the saga of another order.
        """
        while True:
            move = engine.advance(
                SAGAS[journey.progress.kind],
                journey,
                outcome,
                started_at=started_at,
                now=self._clock(),
                chance=self._chance(),
                policy=self._policy,
            )
            try:
                return move, await self._store.record(move)
            except StalePayment:
                journey = journey.with_payment(await self._store.reload(journey.payment))

    def _tell(self, move: Move) -> None:
        kind = move.after.progress.kind
        for entry in move.entries:
            _steps(kind, entry.step, entry.outcome).inc()
        last = move.entries[-1]
        if last.outcome != "done":
            self._log.info(
                "saga_step",
                saga_id=move.after.progress.saga_id,
                payment_id=move.after.payment.payment_id,
                step=last.step,
                outcome=last.outcome,
                reason=last.detail,
                queue=move.after.progress.queue.value,
            )
        self._moved(move)
