"""What a saga would do if it were let go on, at every step of every journey."""

from datetime import timedelta

import pytest

from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retrying import attempt_of, may_be_retried, plan_retry
from tests.builders import NOW, make_journey, make_payment

STEPS = [
    (kind, step.name, back) for kind, saga in SAGAS.items() for step in saga.steps
    for back in (False, True)
]  # fmt: skip
MEMORY = {
    "psp": "stripe", "psp_reference": "pi_1", "charge_attempt_id": "att_1", "expired": "true",
    "failure_reason": "X", "failure_message": "x", "failure_psp_code": "",
    "late_attempt_id": "att_1l1", "late_kind": "CHARGE", "late_psp": "stripe",
    "late_reference": "pi_1", "late_amount": "99.99", "late_currency": "USD",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "step", "back"), STEPS)
def test_the_plan_is_what_the_engine_asks(kind: str, step: str, back: bool) -> None:
    """Name, amount and every id are those of the command itself, so that none is made anew."""
    journey = make_journey(make_payment(), SAGAS[kind]).with_progress(
        step=step, turned_round=back, memory=MEMORY, queue=Queue.DEAD_LETTER
    )

    plan = plan_retry(journey, RetryPolicy(), NOW + timedelta(hours=1))
    command = engine.command(SAGAS[kind], journey)

    assert (plan.step, plan.action) == (step, "undo" if back else "do")
    assert plan.command == (type(command).__name__ if command else "")
    assert all(value in repr(command) for _, value in plan.keys)
    assert bool(plan.keys) is (command is not None)
    assert attempt_of(command) in ("", *(value for _, value in plan.keys))


def test_a_step_that_cannot_be_asked_says_so() -> None:
    """The class of the error is told, not what it says."""
    journey = make_journey().with_progress(step="charge", queue=Queue.DEAD_LETTER)

    plan = plan_retry(journey, RetryPolicy(), NOW)

    assert (plan.command, plan.problem) == ("", "KeyError")


def test_only_what_stands_is_let_go_on() -> None:
    """Not what a worker has, not what is done, not what waits for its day."""
    progress = make_journey().progress
    at = {
        queue: may_be_retried(make_journey().with_progress(queue=queue, journal_length=1).progress)
        for queue in Queue
    }

    planned = engine.begin(SAGAS["settle"], "sga_1", make_payment(), NOW, due_at=NOW + timedelta(1))
    assert at == {
        Queue.PAYMENT: False, Queue.RETRY: True, Queue.WAITING: True,
        Queue.DEAD_LETTER: True, Queue.DONE: False,
    }  # fmt: skip
    assert not may_be_retried(planned)
    assert not may_be_retried(progress)
