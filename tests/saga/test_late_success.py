"""The saga of a late charge: whatever is answered, it is given back once, and booked."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_svc.domain.statuses import PaymentStatus
from payment_svc.domain.testimony import Attempt
from payment_svc.ports import SagaView
from payment_svc.sagas import engine, late_success
from payment_svc.sagas.commands import PostLateCharge, RefundCharge, ReleaseSuspense, VoidCharge
from payment_svc.sagas.journey import Progress, Queue
from payment_svc.sagas.late_success import LATE_SUCCESS
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.use_cases.apply_psp_events import Standing, is_charged, standing
from tests.builders import NOW, make_id, make_journey, make_order, make_payment
from tests.saga.world import Sagas, World

TEN = Decimal("10.00")


def late_attempt(kind: str = "CHARGE", attempt_id: str = "att_1c1l1") -> Attempt:
    """Make what the gateway tells of a late charge of 10.00."""
    return Attempt(
        attempt_id=attempt_id,
        kind=kind,
        outcome="SUCCEEDED",
        delivery="ANSWERED",
        psp="stripe",
        psp_reference="pi_1",
        amount="10.00",
        currency="USD",
        reason="",
        psp_code="",
        message="",
        request_count=0,
        created_at=NOW,
        updated_at=NOW,
    )


@settings(max_examples=200, deadline=None)
@given(script=st.lists(st.sampled_from(["done", "lost", "trouble", "refused"]), max_size=30))
def test_it_ends_square(script: list[str]) -> None:
    """Lost answers and trouble in any order: given back once, suspense is zero, FAILED stays."""
    payment = replace(make_payment(make_order("10.00")), status=PaymentStatus.FAILED)
    world = World()
    world.charged["att_1c1l1"] = TEN
    begun = engine.begin(
        LATE_SUCCESS, "sga_1", payment, NOW, memory=late_success.facts_of(late_attempt())
    )
    sagas = Sagas(payment, {"late": begun}, world)

    words = iter([*script, *["done"] * 100])
    while sagas.open:
        sagas.step("late", next(words))

    assert sagas.walks["late"].progress.queue is Queue.DONE
    assert world.kept == 0
    assert world.refunded == {"att_1c1l1": TEN}
    assert list(world.posted) == ["late:att_1c1l1:charged", "suspense:att_1c1l1:released"]
    assert sum(world.posted.values()) == 0
    assert sagas.payment == payment


def test_its_ids_derive_from_the_attempt() -> None:
    """Whoever begins it again asks for the same, under the same ids."""
    memory = late_success.facts_of(late_attempt())
    journey = make_journey(saga=LATE_SUCCESS).with_progress(memory=memory)
    asked = [step.do(journey) for step in LATE_SUCCESS.steps]

    assert [type(command) for command in asked] == [
        type(None), PostLateCharge, RefundCharge, ReleaseSuspense, type(None)
    ]  # fmt: skip
    assert isinstance(asked[2], RefundCharge)
    assert (asked[2].attempt_id, asked[2].charge_attempt_id) == ("att_1c1l1r1", "att_1c1l1")
    assert late_success.saga_id("att_1c1l1") == "sga_1c1l1late"
    assert late_success.case_id("att_1c1l1") == "cas_1c1l1"


def test_what_is_only_held_is_let_go_and_not_booked() -> None:
    """A hold found late takes no money."""
    memory = late_success.facts_of(late_attempt("AUTHORIZATION"))
    journey = make_journey(saga=LATE_SUCCESS).with_progress(memory=memory)
    asked = [command for step in LATE_SUCCESS.steps if (command := step.do(journey))]

    assert [type(command) for command in asked] == [VoidCharge]


def view(**changes: object) -> SagaView:
    """Make a saga that is at the charge att_1c1."""
    progress: Progress = engine.begin(PAY_IN, make_id("sga"), make_payment(), NOW)
    memory = {"charge_attempt_id": "att_1c1"}
    return SagaView(replace(progress, **{"memory": memory, **changes}), None)  # type: ignore[arg-type]


KNOWN = {"charge_attempt_id": "att_1c1", "psp_reference": "pi_1"}


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([], Standing.LATE),
        ([view(queue=Queue.DONE, turned_round=True)], Standing.LATE),
        ([view(queue=Queue.RETRY, turned_round=True)], Standing.LATE),
        ([view(queue=Queue.DONE)], Standing.LATE),
        ([view(queue=Queue.PAYMENT)], Standing.UNDECIDED),
        ([view(queue=Queue.RETRY)], Standing.ACCOUNTED),
        ([view(queue=Queue.WAITING)], Standing.ACCOUNTED),
        ([view(queue=Queue.DEAD_LETTER)], Standing.ACCOUNTED),
        ([view(queue=Queue.DONE, memory=KNOWN)], Standing.ACCOUNTED),
        ([view(queue=Queue.DONE, turned_round=True, memory=KNOWN)], Standing.ACCOUNTED),
        (
            [view(queue=Queue.DONE), view(memory={"late_attempt_id": "att_1c1"})],
            Standing.ACCOUNTED,
        ),
    ],
)
def test_who_accounts_for_a_charge(views: list[SagaView], expected: Standing) -> None:
    """What a saga knows, or will ask about, is not late; what all have given up is."""
    assert standing(late_attempt(attempt_id="att_1c1"), views) is expected


def test_a_late_saga_accounts_for_its_own() -> None:
    """Told again, nothing begins again."""
    begun = view(memory={"late_attempt_id": "att_1c1l1"})

    assert standing(late_attempt(), [begun]) is Standing.ACCOUNTED
    assert not is_charged(replace(late_attempt(), kind="REFUND"))
    assert not is_charged(replace(late_attempt(), outcome="DECLINED"))
