"""Late success: a PSP has charged what was given up. It is booked into suspense, given back, and
taken out of suspense again; a case tells of it. The payment stays as it is.

A definite no to giving it back is for a person: the case stays open. What two persons then give up
stays in suspense.
"""

from chassis.money import Money
from payment_svc.domain import books
from payment_svc.domain.testimony import Attempt
from payment_svc.sagas.commands import PostLateCharge, RefundCharge, ReleaseSuspense, VoidCharge
from payment_svc.sagas.journey import (
    GIVEN_BACK_ELSEWHERE_BY,
    GIVEN_UP_BY,
    Journey,
    Saga,
    Step,
    nothing,
)

KIND = "late_success"
_HELD = "AUTHORIZATION"


def facts_of(attempt: Attempt) -> dict[str, str]:
    """Tell what a saga has to remember of a late charge."""
    return {
        "late_attempt_id": attempt.attempt_id,
        "late_kind": attempt.kind,
        "late_psp": attempt.psp,
        "late_reference": attempt.psp_reference,
        "late_amount": attempt.amount,
        "late_currency": attempt.currency,
    }


def late_amount(journey: Journey) -> Money:
    """Tell what was charged."""
    memory = journey.progress.memory
    return Money.parse(memory["late_amount"], memory["late_currency"])


def is_held(journey: Journey) -> bool:
    """Whether it is only held, so that nothing is booked and it is let go of."""
    return journey.progress.memory["late_kind"] == _HELD


def book_charge(journey: Journey) -> PostLateCharge | None:
    """Book what the PSP has taken: it owes us, and nobody knows what for."""
    if is_held(journey):
        return None
    memory, payment = journey.progress.memory, journey.payment
    attempt_id = memory["late_attempt_id"]
    reference = books.late_reference(attempt_id)
    amount = late_amount(journey)
    return PostLateCharge(reference, attempt_id, payment.payment_id, memory["late_psp"], amount)


def give_back(journey: Journey) -> RefundCharge | VoidCharge:
    """Give it back, or let go of it, under an id that derives from the late charge's own."""
    attempt_id, amount = journey.progress.memory["late_attempt_id"], late_amount(journey)
    if is_held(journey):
        return VoidCharge(books.late_void_attempt(attempt_id), attempt_id, amount)
    return RefundCharge(books.refund_attempt(attempt_id), attempt_id, amount)


def is_given_up(journey: Journey) -> bool:
    """Whether two persons said that it is not given back."""
    return GIVEN_UP_BY in journey.progress.memory


def book_refund(journey: Journey) -> ReleaseSuspense | None:
    """Book that the PSP gave it back; what is still there stays in suspense, until somebody books
    what became of it.
    """
    memory = journey.progress.memory
    if is_held(journey) or is_given_up(journey) or GIVEN_BACK_ELSEWHERE_BY in memory:
        return None
    attempt_id = memory["late_attempt_id"]
    reference = books.released_reference(attempt_id)
    return ReleaseSuspense(
        reference, attempt_id, journey.payment.payment_id, memory["late_psp"], late_amount(journey)
    )


def saga_id(attempt_id: str) -> str:
    """Name the one saga of a late charge."""
    return f"sga_{attempt_id.removeprefix('att_')}late"


def case_id(attempt_id: str) -> str:
    """Name the one case of a late charge."""
    return f"cas_{attempt_id.removeprefix('att_')}"


LATE_SUCCESS = Saga(
    kind=KIND,
    version=1,
    steps=(
        Step("open_case", do=nothing),
        Step("book_charge", do=book_charge),
        Step("give_back", do=give_back, is_patient=True),
        Step("book_refund", do=book_refund),
        Step("close_case", do=nothing),
    ),
)
