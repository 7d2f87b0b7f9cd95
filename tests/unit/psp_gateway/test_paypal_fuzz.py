"""Whatever PayPal answers: nothing raises, and success is only said of what was asked."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.answer import Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.paypal import failures, mapping
from psp_gateway.providers.paypal.client import Response, Result
from psp_gateway.providers.paypal.codes import ISSUES
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.paypal import error, held, order, paid, payment
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)

Read = Callable[[Result, Attempt], Answer]

ATTEMPTS = [
    replace(attempt, psp_reference="5O1", charge_reference="5O1")
    for attempt in (new_charge(), new_hold(), new_capture(), new_void(), new_refund())
]
READS: dict[Kind, list[Read]] = {
    Kind.CHARGE: [mapping.read_charge, mapping.look_at_charge, mapping.look_at_approval],
    Kind.AUTHORIZATION: [mapping.read_charge, mapping.look_at_charge, mapping.look_at_approval],
    Kind.CAPTURE: [mapping.read_hold, mapping.read_capture],
    Kind.VOID: [mapping.read_hold],
    Kind.REFUND: [mapping.read_refund, mapping.find_refund],
}
CASES = [(attempt, read) for attempt in ATTEMPTS for read in READS[attempt.kind]]

statuses = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503])
ids = st.sampled_from(["5O1", "0VF", "3C6", "../x", "", None])
ours = st.sampled_from(["att_1", "att_capture1", "att_refund1", "att_2", "", None])
amounts = st.fixed_dictionaries(
    {
        "currency_code": st.sampled_from(["USD", "EUR"]),
        "value": st.sampled_from(["99.99", "99.98", "-99.99", "1e2", ""]),
    }
)
STATES = """
CREATED SAVED APPROVED VOIDED COMPLETED PAYER_ACTION_REQUIRED CAPTURED DENIED PENDING
PARTIALLY_CAPTURED DECLINED FAILED REFUNDED PARTIALLY_REFUNDED CANCELLED NEW
"""
states = st.sampled_from(STATES.split())


def odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Take the usual mostly, and anything at times."""
    return st.one_of(usual, usual, usual, json_values)


payments = st.fixed_dictionaries(
    {"id": odd(ids), "status": odd(states), "amount": odd(amounts)},
    optional={
        "custom_id": odd(ours),
        "invoice_id": odd(ours),
        "processor_response": json_values,
        "status_details": json_values,
        "expiration_time": json_values,
        "update_time": st.datetimes().map(str),
    },
)
lists = odd(st.lists(odd(payments), max_size=2))
units = st.fixed_dictionaries(
    {"amount": odd(amounts), "custom_id": odd(ours)},
    optional={
        "payments": odd(
            st.fixed_dictionaries(
                {}, optional={"captures": lists, "authorizations": lists, "refunds": lists}
            )
        )
    },
)
orders = st.fixed_dictionaries(
    {
        "id": odd(ids),
        "status": odd(states),
        "purchase_units": odd(st.lists(odd(units), min_size=1, max_size=2)),
    },
    optional={"intent": odd(st.sampled_from(["CAPTURE", "AUTHORIZE"])), "links": json_values},
)
errors = st.builds(
    lambda name, issues: error(name, *issues),
    st.sampled_from(["INVALID_REQUEST", "UNPROCESSABLE_ENTITY", "RESOURCE_NOT_FOUND", ""]),
    st.lists(st.sampled_from([*sorted(ISSUES), "NEW"]), max_size=2),
)
bodies = st.one_of(orders, payments, errors, st.dictionaries(st.text(max_size=9), json_values))
results: st.SearchStrategy[Result] = st.one_of(
    st.just(NotSent()),
    st.just(NoAnswer()),
    st.builds(Response, statuses, st.none() | bodies, st.just("90957")),
)
OURS_TAKEN = payment(invoice_id="att_capture1")
OURS_GIVEN = payment(custom_id="att_refund1", invoice_id="att_refund1")
RIGHT: dict[Kind, list[dict[str, Any]]] = {
    Kind.CHARGE: [paid()],
    Kind.AUTHORIZATION: [held()],
    Kind.CAPTURE: [OURS_TAKEN, held(OURS_TAKEN, status="CAPTURED")],
    Kind.VOID: [held(status="VOIDED")],
    Kind.REFUND: [
        OURS_GIVEN,
        order(unit={"payments": {"captures": [payment()], "refunds": [OURS_GIVEN]}}),
    ],
}


def paths_of(node: Any, *before: Any) -> list[tuple[Any, ...]]:
    """List the ways to all that a body holds."""
    inner: Any = node.items() if isinstance(node, dict) else ()
    inner = enumerate(node) if isinstance(node, list) else inner
    deeper = [path for name, each in inner for path in paths_of(each, *before, name)]
    return [before, *deeper] if before else deeper


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[Attempt, Read, Result]:
    """Draw an answer that says success, but for what was changed in one place, or in none."""
    attempt, read = draw(st.sampled_from(CASES))
    body = deepcopy(draw(st.sampled_from(RIGHT[attempt.kind])))
    if draw(st.booleans()):
        *way, last = draw(st.sampled_from(paths_of(body)))
        reduce(lambda node, name: node[name], way, body)[last] = draw(
            st.one_of(ids, ours, amounts, states, json_values)
        )
    return attempt, read, Response(draw(st.sampled_from([200, 201, 202, 500])), body)


def is_there(node: Any, test: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether there is such an object anywhere in a body."""
    if isinstance(node, dict):
        return test(node) or any(is_there(each, test) for each in node.values())
    return isinstance(node, list) and any(is_there(each, test) for each in node)


def is_of(money: Money) -> Callable[[dict[str, Any]], bool]:
    """Tell an object of this amount."""
    written = {"currency_code": money.currency, "value": str(money.amount)}
    return lambda node: node.get("amount") == written


@given(st.tuples(st.sampled_from(CASES), results).map(lambda drawn: (*drawn[0], drawn[1])))
def test_no_answer_raises(drawn: tuple[Attempt, Read, Result]) -> None:
    """Whatever comes, there is an answer, and success only of what was asked."""
    check_success(*drawn)


@given(nearly_right())
def test_success_is_of_what_was_asked(drawn: tuple[Attempt, Read, Result]) -> None:
    """Where all is right but one thing, success still needs our amount and our id."""
    check_success(*drawn)


def check_success(attempt: Attempt, read: Read, result: Result) -> None:
    """Hold a success against the body that it was read from."""
    answer = read(result, attempt)
    if not isinstance(answer, Verdict) or answer.outcome is not Outcome.SUCCEEDED:
        return
    own = attempt.charge_attempt_id if attempt.kind is Kind.VOID else attempt.attempt_id

    def is_ours(node: dict[str, Any]) -> bool:
        return own in (node.get("custom_id"), node.get("invoice_id"))

    assert isinstance(result, Response)
    assert result.status in (200, 201)
    assert is_there(result.body, is_of(attempt.amount))
    assert is_there(result.body, is_ours)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.kind)
def test_success_can_be_drawn(attempt: Attempt) -> None:
    """What is right as it stands is a success, so that the changes above are changes of one."""
    outcomes = {
        getattr(read(Response(201, body), attempt), "outcome", None)
        for read in READS[attempt.kind]
        for body in RIGHT[attempt.kind]
    }

    assert Outcome.SUCCEEDED in outcomes


@given(st.sampled_from(CASES), results)
def test_what_says_nothing_is_never_a_no(case: tuple[Attempt, Read], result: Result) -> None:
    """Silence and errors of PayPal's own neither decline nor let anything be sent elsewhere."""
    attempt, read = case
    answer = read(result, attempt)
    is_own_error = isinstance(result, Response) and result.status >= 500
    if isinstance(result, NoAnswer) or is_own_error:
        assert isinstance(answer, Verdict)
        assert answer.outcome is Outcome.UNKNOWN


@given(st.sampled_from(CASES), results)
def test_no_text_of_paypals_is_told(case: tuple[Attempt, Read], result: Result) -> None:
    """An error's own words may repeat the token."""
    attempt, read = case

    assert "canary" not in repr(read(result, attempt))


@given(results)
def test_an_order_is_made_of_what_was_asked(result: Result) -> None:
    """An id is kept only of an order of our amount and id."""
    answer = mapping.read_created(result, new_charge())
    if isinstance(answer, Created):
        assert isinstance(result, Response)
        assert is_there(result.body, is_of(new_charge().amount))
        assert is_there(result.body, lambda node: node.get("custom_id") == "att_1")


@given(results)
def test_a_failed_look_before_sending_sends_nothing(result: Result) -> None:
    """Before anything was sent it is never unknown what became of it."""
    verdict = failures.before_sending(result)

    assert verdict.outcome in (Outcome.TRANSIENT, Outcome.DECLINED)
    assert verdict.about_request
