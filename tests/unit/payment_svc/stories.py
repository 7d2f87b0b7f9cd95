"""Stories as the real engine makes them, with what the other services would tell."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from payment_svc.domain.payment import Payment
from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    RuleHit,
    WalletOperation,
)
from payment_svc.explanation.story import Story
from payment_svc.ports import SagaView, StatusChange
from payment_svc.sagas import engine
from payment_svc.sagas.journey import Entry, Queue, Saga
from payment_svc.sagas.outcomes import Done, Outcome
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from tests.builders import NOW, make_journey, make_payment

POLICY = RetryPolicy()
STEP = timedelta(milliseconds=10)
CHARGED = Done({"psp": "stripe", "psp_reference": "pi_1"}, "stripe pi_1")
BOOKED = Done({"transaction_id": "txn_1"}, "txn_1")
HAPPY = (Done(detail="approved"), CHARGED, Done(), BOOKED)


def at(milliseconds: int) -> datetime:
    """Tell a moment after the payment was accepted."""
    return NOW + timedelta(milliseconds=milliseconds)


@dataclass(frozen=True, slots=True)
class Played:
    """A saga played by the engine: its view, the payment as it then is, the statuses taken."""

    view: SagaView
    payment: Payment
    changes: tuple[StatusChange, ...]

    @property
    def story(self) -> Story:
        """Tell it without the other services."""
        return Story(self.payment, (self.view,), self.changes)


def play(
    *outcomes: Outcome,
    payment: Payment | None = None,
    saga: Saga = PAY_IN,
    every: timedelta = STEP,
) -> Played:
    """Give a saga outcomes, one every 10 ms; what is due is due a second after the last."""
    payment = payment or make_payment()
    journey = make_journey(payment, saga).with_progress(epoch=1)
    lines = _changes(payment, journey.payment, NOW)
    journal: list[Entry] = []
    now = NOW
    for outcome in outcomes:
        started_at, now = now, now + every
        before = journey.with_payment(replace(journey.payment, trail=()))
        move = engine.advance(
            saga, before, outcome, started_at=started_at, now=now, chance=0.5, policy=POLICY
        )
        journey = move.after
        journal += move.entries
        lines += _changes(before.payment, journey.payment, now)
    is_open = journey.progress.queue not in (Queue.DONE, Queue.DEAD_LETTER)
    due_at = now + timedelta(seconds=1) if is_open else None
    return Played(SagaView(journey.progress, due_at, tuple(journal)), journey.payment, tuple(lines))


def _changes(before: Payment, after: Payment, now: datetime) -> list[StatusChange]:
    reason = after.failure.reason if after.failure else ""
    taken = zip((before.status, *after.trail), after.trail, strict=False)
    lines = [(after.payment_id, old, new) for old, new in taken]
    orders = zip(before.orders, after.orders, strict=True)
    lines += [(a.order_id, a.status, b.status) for a, b in orders if a.status is not b.status]  # type: ignore[misc]
    return [StatusChange(name, old.value, new.value, reason, now) for name, old, new in lines]


def assessment(decision: str = "APPROVED", *rules: str, when: int = 5) -> Assessment:
    """Tell what risk_svc decided."""
    return Assessment(
        at(when), decision, tuple(RuleHit(rule, "VELOCITY_EXCEEDED") for rule in rules)
    )


def attempt(outcome: str = "SUCCEEDED", **more: object) -> Attempt:
    """Tell of an attempt to charge 99.99 USD at stripe."""
    usual = Attempt(
        attempt_id="att_1c1",
        kind="CHARGE",
        outcome=outcome,
        delivery="ANSWERED",
        psp="stripe",
        psp_reference="pi_1" if outcome == "SUCCEEDED" else "",
        amount="99.99",
        currency="USD",
        reason="",
        psp_code="",
        message="",
        request_count=2,
        created_at=at(12),
        updated_at=at(19),
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def operation(
    kind: str = "CREDIT", when: int = 25, wallet: str = "seller:demo:s:USD"
) -> WalletOperation:
    """Tell of a change of a wallet by 99.99 USD."""
    return WalletOperation(
        at(when),
        f"order:ord_1:{kind.lower()}",
        wallet,
        kind,
        "99.99",
        "USD",
        "99.99",
        "0.00",
        "0.00",
    )


def entries(*credits: str, when: int = 35, transaction: str = "txn_1") -> tuple[LedgerEntry, ...]:
    """Tell of a booked transaction that credits these accounts."""
    names = credits or ("seller:demo:s:USD",)
    lines = [("psp:stripe:clearing:USD", True), *((name, False) for name in names)]
    return tuple(
        LedgerEntry(at(when), transaction, "payment:pay_1:captured", name, is_debit, "99.99", "USD")
        for name, is_debit in lines
    )


def completed() -> Story:
    """Tell of a payment that went the usual way."""
    return replace(
        play(*HAPPY).story,
        assessments=(assessment(),),
        attempts=(attempt(),),
        operations=(operation(),),
        entries=entries(),
    )
