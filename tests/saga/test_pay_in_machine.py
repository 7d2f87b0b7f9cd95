"""Any outcomes in any order: the saga ends, the books are square, the story holds together."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import engine
from payment_svc.sagas.commands import (
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    RefundCharge,
    ReverseCredits,
    ReversePosting,
)
from payment_svc.sagas.engine import Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Waiting
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from tests.builders import NOW, make_journey, make_order, make_payment

WORDS = st.sampled_from(["done", "lost", "refused", "trouble", "psp_trouble", "unknown"])


class World:
    """The other services, idempotent as they are: a lost answer may follow an effect."""

    def __init__(self) -> None:
        self.charged: dict[str, Decimal] = {}
        self.refunded: dict[str, Decimal] = {}
        self.credited: set[str] = set()
        self.closed: set[str] = set()
        self.posted: set[str] = set()
        self.declined: set[str] = set()

    def answer(self, command: Command, word: str) -> Outcome:
        """Answer a command; what is once decided stays decided."""
        match command:
            case ExecuteCharge():
                return self._charge(command, word)
            case RefundCharge() if word in ("done", "lost"):
                self.refunded[command.charge_attempt_id] = command.amount.amount
                return Done({"psp_refund_reference": "re_1"}) if word == "done" else Again("LOST")
            case CreditWallets() if word in ("done", "lost"):
                self.credited |= {op.operation_id for op in command.operations} - self.closed
                return Done() if word == "done" else Again("LOST")
            case ReverseCredits() if word in ("done", "lost"):
                self.credited -= set(command.operation_ids)
                self.closed |= set(command.operation_ids)
                return Done() if word == "done" else Again("LOST")
            case PostCapture() if word in ("done", "lost"):
                self.posted.add(command.reference)
                return Done({"transaction_id": "txn"}) if word == "done" else Again("LOST")
            case ReversePosting() if word in ("done", "lost"):
                self.posted.discard(command.reference)
                return Done() if word == "done" else Again("LOST")
            case RefundCharge() | ReverseCredits() | ReversePosting():
                return Again("TROUBLE")
            case _:
                return self._other(word)

    def _charge(self, command: ExecuteCharge, word: str) -> Outcome:
        if command.attempt_id in self.charged:
            # Charged already: the PSP says so, or does not say.
            return self._charged() if word != "unknown" else Waiting("NO_ANSWER", unknown=True)
        if command.attempt_id in self.declined or word == "refused":
            self.declined.add(command.attempt_id)
            return Refused("CARD_DECLINED", "Declined.")
        if word == "psp_trouble":
            return Again("PSP_RATE_LIMITED", from_psp=True)
        if word == "trouble":
            return Again("UNAVAILABLE")
        self.charged[command.attempt_id] = command.amount.amount
        return self._charged() if word == "done" else Waiting("NO_ANSWER", unknown=True)

    @staticmethod
    def _charged() -> Outcome:
        return Done({"psp": "stripe", "psp_reference": "pi_1"})

    @staticmethod
    def _other(word: str) -> Outcome:
        return (
            Refused("NO", "No.")
            if word == "refused"
            else Again("TROUBLE")
            if word != "done"
            else Done()
        )


@settings(max_examples=400, deadline=None)
@given(words=st.lists(WORDS, max_size=40), order_count=st.integers(1, 3))
def test_every_schedule_ends_square(words: list[str], order_count: int) -> None:
    """Whatever is answered, in the end either all is booked once, or all is given back."""
    payment = make_payment(*(make_order("10.00") for _ in range(order_count)))
    journey, world, now = make_journey(payment), World(), NOW
    script = iter([*words, *["done"] * 60])

    while journey.progress.queue not in (Queue.DONE, Queue.DEAD_LETTER):
        command = engine.command(PAY_IN, journey)
        assert command is not None
        outcome = world.answer(command, next(script))
        now += timedelta(milliseconds=10)
        move = engine.advance(
            PAY_IN, journey, outcome, started_at=now, now=now, chance=0.1, policy=RetryPolicy()
        )
        journey = move.after

    assert journey.progress.queue is Queue.DONE
    kept = sum(world.charged.values()) - sum(world.refunded.values())
    if journey.payment.status is PaymentStatus.COMPLETED:
        assert kept == payment.amount.amount
        assert len(world.credited) == order_count
        assert len(world.posted) == 1
        assert {o.status for o in journey.payment.orders} == {OrderStatus.SUCCESS}
    else:
        assert journey.payment.status is PaymentStatus.FAILED
        assert kept == 0
        assert not world.credited
        assert not world.posted
        assert journey.payment.failure is not None
    assert len(world.charged) <= 1
    assert journey.payment.payment_token is None
