"""The guard of several captures, and what tells of each of them at Stripe and PayPal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import CapturedOnce, CaptureUndecided, Refusal
from psp_gateway.domain.holds import Holds
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.mapping import hold_answer as paypal_answer
from psp_gateway.providers.paypal.objects import read_order
from psp_gateway.providers.stripe.mapping import capture_name, hold_answer
from tests.unit.psp_gateway.fakes import expresses_all, takes_parts
from tests.unit.psp_gateway.test_take_further import new_capture, new_hold, new_void

HOLD = replace(new_hold(), outcome=Outcome.SUCCEEDED, psp="stripe", psp_reference="pi_1")
WORDS = st.tuples(
    st.sampled_from(["part", "last", "void"]),
    st.integers(1, 9999),
    st.sampled_from([Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.UNKNOWN, Outcome.PENDING]),
)


def part(amount: str = "20.00", attempt_id: str = "att_capture2", before: str = "20.00") -> Attempt:
    """Make one of several captures, taken up."""
    return replace(
        new_capture(amount, attempt_id),
        is_final=False,
        captured_before=Decimal(before),
        charge_reference="pi_1",
        psp="stripe",
    )


def word(kind: str, number: int, cents: int) -> Attempt:
    """Make what is said of a hold, as it is asked."""
    amount = Money(Decimal(cents).scaleb(-2), "USD")
    made = new_void() if kind == "void" else new_capture()
    return replace(made, attempt_id=f"att_{number}", amount=amount, is_final=kind != "part")


@given(asked=st.lists(WORDS, max_size=12))
def test_words_in_any_order_keep_to_what_is_held(asked: list[tuple[str, int, Outcome]]) -> None:
    """Whatever is asked, and whatever comes of it, no more than the hold can be taken; a word that
    lets go of the rest follows decided captures alone, and nothing that may count follows it.
    """
    stored: list[Attempt] = []
    for number, (kind, cents, outcome) in enumerate(asked):
        guard = Holds([HOLD], stored, [], expresses_all, takes_parts)
        answer = guard.take_up(word(kind, number, cents))
        if isinstance(answer, Refusal):
            assert guard.new == []
            continue
        counted = [each for each in stored if each.outcome is not Outcome.DECLINED]
        assert all(not each.is_final for each in counted)
        assert answer[0].captured_before == sum(each.amount.amount for each in counted)
        if answer[0].is_final:
            assert all(each.outcome is Outcome.SUCCEEDED for each in counted)
        if answer[0].kind is Kind.VOID:
            assert answer[0].amount.amount + answer[0].captured_before == HOLD.amount.amount
        stored.append(replace(answer[0], outcome=outcome))
    may_be_taken = [each for each in stored if each.outcome is not Outcome.DECLINED]
    assert sum(each.amount.amount for each in may_be_taken) <= HOLD.amount.amount


def test_a_psp_that_captures_once_says_so() -> None:
    """A part that others may follow is refused, naming the field; a final one is taken up."""
    guard = Holds([HOLD], [], [], expresses_all, lambda _: False)

    refused = guard.take_up(part())
    taken = guard.take_up(new_capture("20.00"))

    assert isinstance(refused, CapturedOnce)
    assert refused.metadata == {"psp": "stripe", "field": "is_final"}
    assert not isinstance(taken, Refusal)


def test_the_rest_waits_for_an_undecided_part() -> None:
    """It is named, so that its caller can ask on."""
    undecided = replace(part("20.00", "att_first", "0"), outcome=Outcome.UNKNOWN)
    guard = Holds([HOLD], [undecided], [], expresses_all, takes_parts)

    refused = guard.take_up(replace(new_void(), amount=Money.parse("79.99", "USD")))

    assert isinstance(refused, CaptureUndecided)
    assert refused.metadata == {"attemptId": "att_first"}


def intent(**fields: Any) -> dict[str, Any]:
    """Make a PaymentIntent of which 20.00 was captured."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 9999,
        "currency": "usd",
        "status": "requires_capture",
        "amount_received": 2000,
        "metadata": {capture_name(part("20.00", "att_first")): "2000"},
        **fields,
    }


WRITTEN = {capture_name(part()): "2000"}


@pytest.mark.parametrize(
    ("fields", "outcome", "reason"),
    [
        ({"metadata": WRITTEN, "amount_received": 4000}, Outcome.SUCCEEDED, None),
        ({"metadata": WRITTEN, "status": "succeeded"}, Outcome.SUCCEEDED, None),
        ({"metadata": WRITTEN, "status": "canceled"}, Outcome.SUCCEEDED, None),
        ({"metadata": WRITTEN, "amount_received": 0}, Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH),
        ({"metadata": WRITTEN, "currency": "eur"}, Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH),
        (
            {"metadata": {capture_name(part()): "1999"}, "amount_received": 3999},
            Outcome.UNKNOWN,
            Reason.AMOUNT_MISMATCH,
        ),
        ({"status": "succeeded"}, Outcome.DECLINED, Reason.ALREADY_CAPTURED),
        ({"status": "canceled"}, Outcome.DECLINED, Reason.PSP_CANCELLED),
        ({"metadata": "odd", "status": "odd"}, Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER),
    ],
    ids=str,
)
def test_stripe_tells_of_one_of_several(
    fields: dict[str, Any], outcome: Outcome, reason: Reason | None
) -> None:
    """By what was written down with it, and not by how the PaymentIntent stands."""
    answer = hold_answer(intent(**fields), part(), "")

    assert isinstance(answer, Verdict)
    assert (answer.outcome, answer.reason) == (outcome, reason)


def test_stripe_has_not_taken_it_yet() -> None:
    """Another part of the same amount is no proof of this one."""
    assert isinstance(hold_answer(intent(), part(), ""), Absent)


@pytest.mark.parametrize("status", ["canceled", "succeeded"])
@pytest.mark.parametrize(("received", "is_let_go"), [(2000, True), (4000, False), (None, False)])
def test_stripe_lets_go_of_the_rest(status: str, received: int | None, is_let_go: bool) -> None:
    """A void of the rest has succeeded when just the parts before it were received."""
    void = replace(new_void(), amount=Money.parse("79.99", "USD"), charge_reference="pi_1")
    void = replace(void, captured_before=Decimal("20.0000"))

    answer = hold_answer(intent(status=status, amount_received=received), void, "")

    assert isinstance(answer, Verdict)
    assert (answer.outcome is Outcome.SUCCEEDED) == is_let_go


def order(status: str, *captures: tuple[str, str]) -> Any:
    """Make an order of 99.99 that is held, with captures by invoice and value."""
    held = {"id": "AUTH1", "status": status, "amount": usd("99.99"), "custom_id": "att_1"}
    taken = [
        {"id": f"C{n}", "status": "COMPLETED", "amount": usd(value), "invoice_id": invoice}
        for n, (invoice, value) in enumerate(captures)
    ]
    unit = {"custom_id": "att_1", "payments": {"authorizations": [held], "captures": taken}}
    return read_order({"id": "ORDER1", "status": "COMPLETED", "purchase_units": [unit]})


def usd(value: str) -> dict[str, str]:
    """Make PayPal's money."""
    return {"currency_code": "USD", "value": value}


OURS = replace(part(), charge_reference="ORDER1", psp="paypal")


def test_paypal_tells_of_one_of_several() -> None:
    """By our id on the capture; without it, it is not taken, if there is enough left."""
    first, other = ("att_first", "20.00"), ("att_other", "90.00")

    there = paypal_answer(order("PARTIALLY_CAPTURED", first, ("att_capture2", "20.00")), OURS, "")
    absent = paypal_answer(order("PARTIALLY_CAPTURED", first), OURS, "")
    strange = paypal_answer(order("PARTIALLY_CAPTURED", other), OURS, "")

    assert isinstance(there, Verdict)
    assert there.outcome is Outcome.SUCCEEDED
    assert isinstance(absent, Absent)
    assert isinstance(strange, Verdict)
    assert strange.reason is Reason.AMOUNT_MISMATCH


@pytest.mark.parametrize("status", ["VOIDED", "CAPTURED"])
def test_paypal_lets_go_of_the_rest(status: str) -> None:
    """Once nothing is held any more and just the parts before it were taken."""
    void = replace(new_void(), amount=Money.parse("79.99", "USD"), charge_reference="ORDER1")
    void = replace(void, captured_before=Decimal(20), charge_attempt_id="att_1")

    done = paypal_answer(order(status, ("att_first", "20.00")), void, "")
    strange = paypal_answer(order(status, ("att_first", "30.00")), void, "")

    assert isinstance(done, Verdict)
    assert isinstance(strange, Verdict)
    assert done.outcome is Outcome.SUCCEEDED
    assert strange.reason is Reason.AMOUNT_MISMATCH
