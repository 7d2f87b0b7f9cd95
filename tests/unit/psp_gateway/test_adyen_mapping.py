"""Adyen's answers: every documented result has a meaning, and nothing else is ever a success."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.adyen import codes, mapping
from psp_gateway.providers.adyen.client import Response, key_of
from tests.unit.psp_gateway.test_take_further import new_capture, new_charge, new_refund

# The enum of PaymentResponse.resultCode in Adyen's published CheckoutService-v71.json.
RESULT_CODES = [
    *("AuthenticationFinished", "AuthenticationNotRequired", "Authorised", "Cancelled"),
    *("ChallengeShopper", "Error", "IdentifyShopper", "PartiallyAuthorised", "Pending"),
    *("PresentToShopper", "Received", "RedirectShopper", "Refused", "Success"),
]
# Of the published answer to /payments, its reference put in the place of the example's.
PUBLISHED: dict[str, Any] = {
    "pspReference": "993617895204576J",
    "resultCode": "Authorised",
    "merchantReference": "att_1",
    "amount": {"currency": "USD", "value": 9999},
}
AMOUNTS = st.fixed_dictionaries(
    {"value": st.integers(9998, 10_000), "currency": st.sampled_from(["USD", "EUR"])}
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "resultCode": st.sampled_from([*RESULT_CODES, "New"]) | st.integers(),
        "merchantReference": st.sampled_from(["att_1", "att_2", "", 1]),
        "pspReference": st.sampled_from(["psp_1", "", None, "é", "x" * 300]),
        "amount": AMOUNTS | st.none() | st.integers(),
        "action": st.none() | st.dictionaries(st.sampled_from(["url", "method"]), st.text()),
        "refusalReasonCode": st.text(max_size=4) | st.integers(),
        "status": st.sampled_from(["received", "other", 1]),
        "reference": st.sampled_from(["att_1", "att_refund1", "else"]),
        "errorCode": st.text(max_size=5),
    },
)


def response(body: Any, status: int = 200, *, transient: bool = False) -> Response:
    """Make an answer."""
    return Response(status, body, "ref_1", transient)


def read(body: Any, status: int = 200, *, transient: bool = False) -> Verdict:
    """Read it as of a charge."""
    return verdict(mapping.read_charge(response(body, status, transient=transient), new_charge()))


def verdict(answer: Answer) -> Verdict:
    """Adyen has no objects that are made first."""
    assert isinstance(answer, Verdict)
    return answer


def test_every_published_result_has_a_meaning() -> None:
    """No more, no fewer."""
    assert sorted(codes.RESULTS) == sorted(RESULT_CODES)


def test_a_published_answer() -> None:
    """Authorised, of the amount and under the reference that were asked for."""
    assert read(PUBLISHED) == Verdict(
        Outcome.SUCCEEDED, reference="993617895204576J", trace="200 ref_1"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"merchantReference": "att_2"},
        {"merchantReference": ""},
        {"amount": {"currency": "EUR", "value": 9999}},
        {"amount": {"currency": "USD", "value": 9998}},
        {"amount": {"currency": "USD", "value": 9999.0}},
        {"pspReference": ""},
        {"resultCode": "PartiallyAuthorised"},
    ],
)
def test_what_was_not_asked_for_is_no_success(changed: dict[str, Any]) -> None:
    """Neither success nor failure."""
    told = read({**PUBLISHED, **changed})

    assert (told.outcome, told.reason, told.is_alarm) == (
        Outcome.UNKNOWN,
        Reason.AMOUNT_MISMATCH,
        True,
    )


@pytest.mark.parametrize(
    ("result", "status", "transient", "expected"),
    [
        ({"errorCode": "704"}, 422, False, (Outcome.UNKNOWN, False)),
        ({"errorCode": "704"}, 422, True, (Outcome.UNKNOWN, False)),
        ({"errorCode": "14_030"}, 422, False, (Outcome.DECLINED, False)),
        ({"errorCode": "000"}, 401, False, (Outcome.DECLINED, False)),
        ({}, 422, False, (Outcome.UNKNOWN, False)),
        ({"errorCode": "905"}, 500, False, (Outcome.UNKNOWN, True)),
        ({"errorCode": "905"}, 500, True, (Outcome.TRANSIENT, False)),
        (None, 502, False, (Outcome.UNKNOWN, False)),
        (None, 500, False, (Outcome.UNKNOWN, False)),
        (None, 429, False, (Outcome.TRANSIENT, False)),
        (None, 200, False, (Outcome.UNKNOWN, False)),
        (None, 302, False, (Outcome.UNKNOWN, False)),
    ],
)
def test_failures(
    result: Any, status: int, transient: bool, expected: tuple[Outcome, bool]
) -> None:
    """Nothing happened only where Adyen says so."""
    told = read(result, status, transient=transient)

    assert (told.outcome, told.is_replay) == expected
    assert told.delivery is Delivery.ANSWERED


def test_silence() -> None:
    """Never sent, and sent without an answer."""
    assert verdict(mapping.read_charge(NotSent(), new_charge())).delivery is Delivery.NOT_SENT
    assert verdict(mapping.read_charge(NoAnswer(), new_charge())).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("code", [*codes.REFUSALS, "999", ""])
def test_a_refusal_is_final_and_says_why(code: str) -> None:
    """An unknown code is a decline without more, and goes nowhere else."""
    told = read({**PUBLISHED, "resultCode": "Refused", "refusalReasonCode": code})

    assert (told.outcome, told.psp_code) == (Outcome.DECLINED, code)
    assert told.may_go_elsewhere == (code in {"4", "9", "21"})


@pytest.mark.parametrize(
    ("action", "url"),
    [
        ({"type": "redirect", "method": "GET", "url": "https://a/b"}, "https://a/b"),
        ({"type": "redirect", "url": "https://a/b"}, "https://a/b"),
        ({"type": "redirect", "method": "POST", "url": "https://a/b"}, ""),
        ({"type": "threeDS2", "token": "x"}, ""),
        ({"url": "javascript:alert(1)"}, ""),
        (None, ""),
    ],
)
def test_where_the_buyer_goes(action: Any, url: str) -> None:
    """Only a plain address is handed on."""
    told = read({**PUBLISHED, "resultCode": "RedirectShopper", "action": action})

    assert (told.outcome, told.redirect_url) == (Outcome.ACTION_REQUIRED, url)


def test_modifications_are_only_received() -> None:
    """A capture is known by its payment, a refund by itself."""
    body = {
        "status": "received",
        "pspReference": "mod_1",
        "paymentPspReference": "pay_1",
        "amount": {"currency": "USD", "value": 9999},
    }
    taken = {**body, "reference": "att_capture1"}
    given = {**body, "reference": "att_refund1"}
    captured = mapping.read_modification(response(taken, 201), new_capture(), by_payment=True)
    refunded = mapping.read_modification(response(given, 201), new_refund(), by_payment=False)

    assert (verdict(captured).outcome, verdict(captured).reference) == (Outcome.PENDING, "pay_1")
    assert verdict(refunded).reference == "mod_1"


@given(
    st.none() | BODIES,
    st.sampled_from([200, 201, 400, 401, 422, 429, 500, 503]),
    st.booleans(),
    st.sampled_from([new_charge(), replace(new_refund(), charge_reference="psp_0")]),
)
def test_nothing_else_is_ever_a_success(
    body: Any, status: int, transient: bool, attempt: Attempt
) -> None:
    """Whatever comes: no error, and success only of what was asked."""
    result = response(body, status, transient=transient)
    for told in (
        verdict(mapping.read_charge(result, attempt)),
        verdict(mapping.read_modification(result, attempt, by_payment=False)),
    ):
        if told.outcome is Outcome.SUCCEEDED:
            assert body["merchantReference"] == attempt.attempt_id
            assert body.get("amount") in (None, {"value": 9999, "currency": "USD"})
            assert status in (200, 201)


def test_keys_fit() -> None:
    """A key of any length becomes the same UUID each time, and no other key's."""
    long = "att_" + "z" * 60 + ":confirm"

    assert key_of(long) == key_of(long)
    assert len(key_of(long)) == 36
    assert key_of(long) != key_of(long + "-1")
