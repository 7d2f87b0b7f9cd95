"""The world around the sagas, in memory: the other services, idempotent as they are, and a store
that fences by revision. What is answered is dictated by words.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from payment_svc.changes import stored
from payment_svc.domain.payment import Payment
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    PostKeptCharge,
    PostLateCharge,
    RefundCharge,
    ReleaseSuspense,
    ReverseCredits,
    ReversePosting,
    SettleCredits,
    VoidCharge,
)
from payment_svc.sagas.journey import Journey, Move, Progress, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Waiting
from payment_svc.sagas.policy import RetryPolicy
from tests.builders import NOW, make_id

WORDS = ("done", "lost", "refused", "trouble", "psp_trouble", "unknown", "action")
EXPIRES = NOW + timedelta(days=7)


class World:
    """The other services: a lost answer may follow an effect; what is decided stays decided."""

    def __init__(self) -> None:
        self.held: dict[str, Decimal] = {}
        self.voided: set[str] = set()
        self.charged: dict[str, Decimal] = {}
        self.captured_of: dict[str, str] = {}
        self.refunded: dict[str, Decimal] = {}
        self.credited: dict[str, Decimal] = {}
        self.closed: set[str] = set()
        self.posted: dict[str, Decimal] = {}
        self.declined: set[str] = set()

    @property
    def kept(self) -> Decimal:
        """What was taken from the buyer and not given back."""
        return sum(self.charged.values(), Decimal(0)) - sum(self.refunded.values(), Decimal(0))

    def answer(self, command: Command, word: str) -> Outcome:
        """Answer a command."""
        match command:
            case ExecuteCharge():
                return self._charge(command, word)
            case CaptureCharge():
                return self._capture(command, word)
            case VoidCharge() if word in ("done", "lost"):
                assert command.charge_attempt_id not in self.captured_of.values()
                self.voided.add(command.charge_attempt_id)
            case RefundCharge() if word in ("done", "lost"):
                self.refunded[command.charge_attempt_id] = command.amount.amount
            case CreditWallets() if word in ("done", "lost"):
                for operation in command.operations:
                    if operation.operation_id not in self.closed:
                        self.credited[operation.operation_id] = operation.amount.amount
            case ReverseCredits() if word in ("done", "lost"):
                self.closed |= set(command.operation_ids)
                for operation_id in command.operation_ids:
                    self.credited.pop(operation_id, None)
            case PostCapture() if word in ("done", "lost"):
                self.posted[command.reference] = command.amount.amount
            case PostLateCharge() | PostKeptCharge() if word in ("done", "lost"):
                self.posted[command.reference] = command.amount.amount
            case ReleaseSuspense() if word in ("done", "lost"):
                self.posted[command.reference] = -command.amount.amount
            case ReversePosting() if word in ("done", "lost"):
                self.posted.pop(command.reference, None)
            case AssessPayment() | CreditWallets() | PostCapture() if word == "refused":
                return Refused("NO", "No.")
            case AssessPayment() | SettleCredits() if word == "done":
                return Done()
            case _:
                return Again("TROUBLE")
        return Done() if word == "done" else Again("LOST")

    def _charge(self, command: ExecuteCharge, word: str) -> Outcome:
        taken = self.held if command.is_held else self.charged
        if command.attempt_id in taken:
            # Done already: the PSP says so, or does not say.
            return _charged(command) if word != "unknown" else Waiting("NO_ANSWER", unknown=True)
        if command.attempt_id in self.declined or word == "refused":
            self.declined.add(command.attempt_id)
            return Refused("CARD_DECLINED", "Declined.")
        if word == "psp_trouble" and command.is_last_try:
            self.declined.add(command.attempt_id)
            return Refused("PSP_RATE_LIMITED", "Nothing was charged.")
        if word == "psp_trouble":
            return Again("PSP_RATE_LIMITED", from_psp=True)
        if word == "trouble":
            return Again("UNAVAILABLE")
        if word == "action":
            return Waiting("ACTION_REQUIRED", redirect_url="")
        taken[command.attempt_id] = command.amount.amount
        return _charged(command) if word == "done" else Waiting("NO_ANSWER", unknown=True)

    def _capture(self, command: CaptureCharge, word: str) -> Outcome:
        charged = Done({"psp": "stripe", "psp_reference": "pi_1"})
        if command.attempt_id in self.charged:
            return charged if word != "unknown" else Waiting("NO_ANSWER", unknown=True)
        if command.attempt_id in self.declined or word == "refused":
            self.declined.add(command.attempt_id)
            return Refused("PSP_CANCELLED", "The PSP has let go.")
        if word in ("psp_trouble", "trouble", "action"):
            return Again("UNAVAILABLE", from_psp=word == "psp_trouble")
        assert command.charge_attempt_id not in self.voided
        assert command.amount.amount <= self.held[command.charge_attempt_id]
        self.charged[command.attempt_id] = command.amount.amount
        self.captured_of[command.attempt_id] = command.charge_attempt_id
        return charged if word == "done" else Waiting("NO_ANSWER", unknown=True)


def _charged(command: ExecuteCharge) -> Outcome:
    if command.is_held:
        return Done({"psp": "stripe", "expires_at": EXPIRES.isoformat()})
    return Done({"psp": "stripe", "psp_reference": "pi_1"})


class Sagas:
    """The sagas of one payment, each walked by somebody who read the payment when he began."""

    def __init__(self, payment: Payment, sagas: Mapping[str, Progress], world: World) -> None:
        self.payment = payment
        self.world = world
        self.now = NOW
        self.statuses = [payment.status]
        self.walks = {name: Journey(progress, payment) for name, progress in sagas.items()}

    @property
    def open(self) -> list[str]:
        """Who is not done and not waiting for its day."""
        over = (Queue.DONE, Queue.DEAD_LETTER)
        return sorted(
            name
            for name, walk in self.walks.items()
            if walk.progress.queue not in over and not self._is_early(walk.progress)
        )

    def step(self, name: str, word: str) -> None:
        """Take one step of a saga, whatever has become of the payment meanwhile."""
        if self.walks[name].progress.epoch == 0:
            self.claim(name)
        journey = self.walks[name]
        saga = SAGAS[journey.progress.kind]
        command = engine.command(saga, journey)
        outcome = Done() if command is None else self.world.answer(command, word)
        self.now += timedelta(milliseconds=10)
        move = self._advance(journey, outcome)
        if move.after.payment != journey.payment and journey.payment != self.payment:
            move = self._advance(journey.with_payment(self.payment), outcome)  # it was stale
        if move.after.payment != move.before.payment:
            self._store(move.after.payment)
        self.walks[name] = move.after.with_payment(stored(move.before.payment, move.after.payment))
        if move.follow_up is not None:
            due_at, order_id = saga.then_at(move.after.payment), journey.progress.order_id
            self.begin(move.follow_up, due_at, order_id)

    def claim(self, name: str) -> None:
        """Take a saga up with the payment as it is now, as who claims it does."""
        journey = self.walks[name].with_payment(self.payment)
        journey = engine.take_up(SAGAS[journey.progress.kind], journey)
        self._store(journey.payment)
        journey = journey.with_progress(epoch=journey.progress.epoch + 1, queue=Queue.PAYMENT)
        self.walks[name] = journey.with_payment(self.payment)

    def begin(self, kind: str, due_at: datetime | None = None, order_id: str | None = None) -> None:
        """Begin another saga, over the payment or over one order of it."""
        progress = engine.begin(
            SAGAS[kind], make_id("sga"), self.payment, self.now, order_id=order_id, due_at=due_at
        )
        self.walks[f"{kind}:{order_id}" if order_id else kind] = Journey(progress, self.payment)

    def decide(self, change: Callable[[Payment], Payment]) -> None:
        """Let the client's word change the payment."""
        self._store(change(self.payment))

    def _store(self, payment: Payment) -> None:
        self.statuses += payment.trail
        changed = payment != self.payment
        self.payment = replace(payment, revision=self.payment.revision + changed, trail=())

    def _is_early(self, progress: Progress) -> bool:
        due = progress.created_at + progress.due_after
        return progress.queue is Queue.WAITING and progress.epoch == 0 and due > self.now

    def _advance(self, journey: Journey, outcome: Outcome) -> Move:
        return engine.advance(
            SAGAS[journey.progress.kind], journey, outcome,
            started_at=self.now, now=self.now, chance=0.1, policy=RetryPolicy(),
        )  # fmt: skip
