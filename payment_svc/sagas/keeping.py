"""Keeping: what a PSP has still of a charge that was to be given back, after two persons gave that
up or gave it back elsewhere. It goes into suspense before the saga ends; a case tells of it.
"""

from payment_svc.domain import books
from payment_svc.sagas.commands import PostKeptCharge
from payment_svc.sagas.journey import (
    GIVEN_BACK_ELSEWHERE_BY,
    GIVEN_UP_BY,
    Journey,
    Step,
    nothing,
)


def is_kept(journey: Journey) -> bool:
    """Whether two persons left with the PSP what the saga itself has charged."""
    memory = journey.progress.memory
    is_left = GIVEN_UP_BY in memory or GIVEN_BACK_ELSEWHERE_BY in memory
    return is_left and "psp_reference" in memory


def book_kept(journey: Journey) -> PostKeptCharge | None:
    """Book that the PSP owes it to us, and that nobody has said what for."""
    if not is_kept(journey):
        return None
    memory = journey.progress.memory
    attempt_id = memory["charge_attempt_id"]
    return PostKeptCharge(
        reference=books.kept_reference(attempt_id),
        attempt_id=attempt_id,
        payment_id=journey.payment.payment_id,
        psp=memory["psp"],
        amount=journey.amount,
    )


# Between giving back and all that was before the charge.
BOOK_KEPT = Step("book_kept", do=nothing, undo=book_kept, is_detour=True)
