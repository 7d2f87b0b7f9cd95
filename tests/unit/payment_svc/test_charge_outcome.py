"""What the gateway says of an attempt, as a saga hears it."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from paymesh.psp.v1.attempt_pb2 import Attempt
from paymesh.psp.v1.provider_pb2 import BANK_DEBIT
from paymesh.psp.v1.psp_gateway_service_pb2 import AttemptResult

from payment_svc.messages import charge_outcome
from payment_svc.sagas.outcomes import Outcome, Waiting


def heard(attempt: Attempt) -> Outcome:
    """Read the answer to a charge."""
    return charge_outcome(AttemptResult(attempt=attempt))


def pending(delivery: Attempt.Delivery, **more: object) -> Attempt:
    """Make an attempt that is PENDING."""
    return Attempt(outcome=Attempt.PENDING, delivery=delivery, **more)  # type: ignore[arg-type]


def test_a_psp_that_takes_its_time_has_spoken() -> None:
    """It tells unasked when it is done: the saga looks by its own schedule."""
    assert heard(pending(Attempt.ANSWERED)) == Waiting("PSP_PENDING")
    assert heard(pending(Attempt.ANSWERED, payment_method=BANK_DEBIT)) == Waiting(
        "DEBIT_PENDING", slow=True
    )


@pytest.mark.parametrize(
    "attempt",
    [
        pending(Attempt.SENT_NO_ANSWER, retry_after=Duration(seconds=3)),
        pending(Attempt.ANSWERED, is_put_off=True, retry_after=Duration(seconds=3)),
    ],
)
def test_what_is_under_way_or_put_off_says_nothing_new(attempt: Attempt) -> None:
    """What was told before stands, and it is asked for again when the gateway says."""
    told = heard(attempt)

    assert told == Waiting("PSP_PENDING", unheard=True, after=timedelta(seconds=3))


def test_what_is_not_known_is_never_called_pending() -> None:
    """Also while it is put off."""
    told = heard(Attempt(outcome=Attempt.UNKNOWN, is_put_off=True, reason="NO_USABLE_ANSWER"))

    assert told == Waiting("NO_USABLE_ANSWER", unknown=True)
