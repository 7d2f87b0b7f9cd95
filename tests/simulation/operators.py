"""Operators: persons who look at dead letters, and at what nobody knows, and do what their guide
says; some are hasty, some mistaken, and some approve what they have proposed themselves.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chassis.errors import PaymeshError
from chassis.money import Money
from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import SecondPersonNeeded
from payment_svc.domain.resolution import Decision, Resolution
from payment_svc.sagas.commands import CaptureCharge, ExecuteCharge, RefundCharge, VoidCharge
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.quarantine import POISON
from payment_svc.sagas.resolving import command_of
from payment_svc.sagas.retrying import may_be_retried
from payment_svc.use_cases.resolve_saga import Said
from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.office import Retry
from tests.simulation.psp import Object, Psp
from tests.simulation.resolutions import Resolutions

_PERSONS = tuple(Actor(name, is_verified=True) for name in ("olga", "piet", "rosa"))
_TIMEOUT_S = 20.0
_FIRST_LOOKS_S = (4.0, 16.0)
_LOOK_S, _LOOK_S_MAX = 200.0, 12 * 3600.0
_TRIES_MAX = 4
# What was under way has arrived by then, so that a dashboard says all.
_CALM_S = 300.0
# No PSP has been away, and no circuit is open, by then.
_MISTAKEN_FROM_S = 4 * 3600.0
_DONE = {"succeeded", "requires_capture"}
_NOT_DONE = {"requires_confirmation", "requires_payment_method", "canceled"}


class Operators:
    """All who work at the queues.

    Attributes:
        approved_alone: resolutions that somebody could approve who had proposed them.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        chance: Chance,
        network: Network,
        table: Resolutions,
        psps: dict[str, Psp],
        kill: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._network = network
        self._table = table
        self._psps = psps
        self._kill = kill
        self._retried: Counter[str] = Counter()
        self._late: dict[str, bool] = {}
        self._misread: set[str] = set()
        self.approved_alone: set[str] = set()
        self.faults_end = 0.0

    async def work(self, faults_end: float) -> None:
        """Look at the queues, often at first; while faults strike, only at what is safe."""
        self.faults_end = faults_end
        while self._chance.is_faulty:
            await asyncio.sleep(self._chance.between(*_FIRST_LOOKS_S))
            await self._look()
        pause = _LOOK_S
        while True:
            await asyncio.sleep(pause * self._chance.between(0.7, 1.3))
            pause = min(2 * pause, _LOOK_S_MAX)
            await self._look()

    @property
    def _is_calm(self) -> bool:
        return self._loop.time() > self.faults_end + _CALM_S

    async def _look(self) -> None:
        for row in list(self._table.payments.sagas.values()):
            is_dead = row.progress.queue is Queue.DEAD_LETTER
            is_hasty = row.progress.is_unknown or self._chance.happens(0.04)
            if not (is_dead or is_hasty) or not may_be_retried(row.progress):
                continue
            journey = self._table.journey(row.progress.saga_id)
            if journey is not None:
                await (self._look_at(journey) if is_dead else self._hurry(journey))

    async def _look_at(self, journey: Journey) -> None:
        """Do something about a dead letter."""
        progress = journey.progress
        if progress.reason.startswith(POISON):
            self._table.payments.poison.repair(progress.payment_id)
            return await self._retry(journey)
        if not self._is_calm:
            return None
        command = command_of(journey)
        if isinstance(command, ExecuteCharge | CaptureCharge):
            return await self._tell_what_became(journey, command)
        if isinstance(command, RefundCharge | VoidCharge):
            return await self._do_by_hand(journey, command)
        if self._retried[progress.saga_id] < _TRIES_MAX:
            await self._retry(journey)
        return None

    async def _hurry(self, journey: Journey) -> None:
        """Do something about a saga that would go on by itself."""
        command, is_unknown = command_of(journey), journey.progress.is_unknown
        if is_unknown and isinstance(command, ExecuteCharge | CaptureCharge):
            if self._chance.happens(0.7):
                await self._tell_what_became(journey, command)
        else:
            await self._retry(journey)

    async def _retry(self, journey: Journey) -> None:
        saga_id = journey.progress.saga_id
        retry = Retry(saga_id, journey.progress.epoch)
        self._retried[saga_id] += 1
        for _ in range(1 + self._chance.happens(0.2)):
            if await self._ask("retry_saga", (retry, self._chance.one_of(_PERSONS))) is not None:
                self._chance.struck("retried_by_hand")

    async def _tell_what_became(
        self, journey: Journey, command: ExecuteCharge | CaptureCharge
    ) -> None:
        """Say what the PSP's dashboard shows, or what one has misread there."""
        intents = self._intents(command)
        amount, saga_id = command.amount, journey.progress.saga_id
        done = [one for one in intents if _has_done(one, command)]
        if any(one["status"] == "requires_action" for one in intents):
            return
        if not done:
            if not self._is_calm:
                return  # what is under way may still do it
            fault, said = "resolved_not_charged", _said(saga_id, Decision.NOT_CHARGED)
        elif self._is_put_off(saga_id):
            return
        elif self._is_misread(saga_id):
            fault, said = "resolved_wrongly", _said(saga_id, Decision.NOT_CHARGED)
        elif _taken(done[0], command) != amount.amount * 100:
            # Another amount is given back; one in five misreads how much it is.
            minor = _taken(done[0], command) - self._chance.happens(0.2)
            fault, taken = "resolved_other_amount", Money.of_stored(Decimal(minor) / 100, "USD")
            said = _said(saga_id, Decision.OTHER_AMOUNT, done[0]["id"], taken)
        else:
            fault = "resolved_charged"
            said = _said(saga_id, Decision.CHARGED, done[0]["id"], amount)
        await self._resolve(said, fault)

    def _is_put_off(self, saga_id: str) -> bool:
        """Whether nobody comes to it before the afternoon, as to one in three."""
        is_late = self._late.setdefault(saga_id, self._chance.happens(0.3))
        return is_late and self._loop.time() <= _MISTAKEN_FROM_S

    def _is_misread(self, saga_id: str) -> bool:
        """Whether it is said that nothing happened though something did, once of a saga."""
        if self._loop.time() <= _MISTAKEN_FROM_S or saga_id in self._misread:
            return False
        is_misread = self._chance.happens(0.6)
        if is_misread:
            self._misread.add(saga_id)
        return is_misread

    async def _do_by_hand(self, journey: Journey, command: RefundCharge | VoidCharge) -> None:
        """Give money back at the PSP's dashboard, unless it was, and say so; or leave it there."""
        (intent,) = self._intents(command)
        saga_id, reference = journey.progress.saga_id, intent["id"]
        if isinstance(command, RefundCharge):
            if (left := self._left(intent, command)) is not None:
                return await self._resolve(_said(saga_id, left), "left_at_psp")
            reference = self._refunded(intent, command)
        elif intent["status"] == "requires_capture":
            return None
        elif self._chance.happens(0.4):
            reference = ""
        said = _said(saga_id, Decision.DONE_BY_HAND, reference)
        return await self._resolve(said, "resolved_by_hand")

    def _left(self, intent: Object, command: RefundCharge) -> Decision | None:
        """Decide to leave with the PSP what it has not given back, by one word or the other."""
        if self._psp_of(intent).given_back(command.attempt_id) or not self._chance.happens(0.4):
            return None
        return self._chance.one_of((Decision.GIVE_UP, Decision.DONE_BY_HAND))

    def _refunded(self, intent: Object, command: RefundCharge) -> str:
        """Give back, unless it was; answer the refund's id."""
        psp = self._psp_of(intent)
        refunds = psp.done_for(command.attempt_id)
        return refunds[0]["id"] if refunds else psp.refund_by_hand(intent, command.attempt_id)

    def _intents(self, command: Any) -> list[Object]:
        """Find at the PSPs what a command is about."""
        charge = getattr(command, "charge_attempt_id", command.attempt_id)
        found = [one for psp in self._psps.values() for one in psp.done_for(charge)]
        return [one for one in found if one["object"] == "payment_intent"]

    def _psp_of(self, intent: Object) -> Psp:
        return next(psp for psp in self._psps.values() if intent["id"] in psp.objects)

    async def _resolve(self, said: Said, fault: str) -> None:
        proposer, other = self._chance.one_of(_PERSONS[:2]), _PERSONS[2]
        proposal: Resolution | None = await self._ask("resolve_saga", (said, proposer))
        if proposal is None:
            return
        if self._chance.happens(0.3):
            await self._approve_alone(proposal.resolution_id, proposer)
        if self._chance.happens(0.3):
            self._loop.later(self._chance.between(0.0, 0.2), self._kill)
        asked = (proposal.resolution_id, other)
        if self._chance.happens(0.3):
            self._loop.create_task(self._ask("approve_resolution", asked))
        for _ in range(_TRIES_MAX):
            if await self._ask("approve_resolution", asked) is not None:
                self._chance.struck(fault)
                return
            await asyncio.sleep(self._chance.between(1.0, 20.0))

    async def _approve_alone(self, resolution_id: str, proposer: Actor) -> None:
        self._chance.struck("approved_alone")
        try:
            await self._call("approve_resolution", (resolution_id, proposer))
        except SecondPersonNeeded:
            return
        except PaymeshError:
            return
        self.approved_alone.add(resolution_id)

    async def _ask(self, method: str, asked: Any) -> Any:
        try:
            return await self._call(method, asked)
        except PaymeshError as problem:
            self._chance.note(f"operator {method}: {problem.reason}")
            return None

    async def _call(self, method: str, asked: Any) -> Any:
        return await self._network.call("payment", method, asked, _TIMEOUT_S, "operator")


def _has_done(intent: Object, command: ExecuteCharge | CaptureCharge) -> bool:
    done = {"succeeded"} if isinstance(command, CaptureCharge) else _DONE
    return intent["status"] in done


def _taken(intent: Object, command: ExecuteCharge | CaptureCharge) -> int:
    name = "amount_received" if intent["status"] == "succeeded" else "amount_capturable"
    return int(intent[name])


def _said(
    saga_id: str, decision: Decision, reference: str = "", amount: Money | None = None
) -> Said:
    told = "The dashboard shows it."
    return Said(saga_id, decision, told, told, psp_reference=reference, amount=amount)
