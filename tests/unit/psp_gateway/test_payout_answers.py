"""What the PSPs' answers to payouts mean: by table, and over any JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.adyen import payouts as adyen
from psp_gateway.providers.paypal import payouts as paypal
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.payouts_at_psps import PSPS, good, read


@pytest.mark.parametrize("psp", PSPS)
def test_what_is_paid_is_said_so(psp: str) -> None:
    """With the PSP's id, whether it was known or not."""
    first = read(psp, good(psp))

    assert (first.outcome, first.reason) == (Outcome.SUCCEEDED, None)
    assert first.reference
    assert read(psp, good(psp), first.reference) == first


@pytest.mark.parametrize(
    ("psp", "changed"),
    [
        ("stripe", {"amount": 2501}),
        ("stripe", {"amount": 2500.0}),
        ("stripe", {"currency": "eur"}),
        ("stripe", {"metadata": {"attempt_id": "att_2"}}),
        ("stripe", {"metadata": None}),
        ("stripe", {"amount_reversed": 1}),
        ("stripe", {"reversed": True}),
        ("adyen", {"amount__value": 2501}),
        ("adyen", {"amount__currency": "EUR"}),
        ("adyen", {"amount": None}),
        ("adyen", {"reference": "att_2"}),
        ("adyen", {"direction": "incoming"}),
        ("paypal", {"items__0__payout_item__amount__value": "25.01"}),
        ("paypal", {"items__0__payout_item__amount__currency": "EUR"}),
        ("paypal", {"items__0__payout_item__sender_item_id": "att_2"}),
        ("paypal", {"batch_header__sender_batch_header__sender_batch_id": "att_2"}),
        ("paypal", {"items": [{}, {}]}),
        ("paypal", {"items": None}),
    ],
    ids=str,
)
def test_another_amount_or_name_is_for_a_person(psp: str, changed: dict[str, Any]) -> None:
    """Neither paid nor failed is said of what is not ours as it was asked."""
    told = read(psp, good(psp, **changed))

    assert (told.outcome, told.is_alarm) == (Outcome.UNKNOWN, True)
    assert told.reason is Reason.AMOUNT_MISMATCH


@pytest.mark.parametrize("psp", PSPS)
def test_another_object_than_the_known_one_is_for_a_person(psp: str) -> None:
    """Under one key there is one object."""
    assert read(psp, good(psp), "another").is_alarm


@pytest.mark.parametrize("status", adyen.STATUSES)
def test_adyens_statuses(status: str) -> None:
    """Each of the table, and of what is declined the reason and Adyen's own word."""
    told = read("adyen", good("adyen", status=status, reason="notEnoughBalance"))

    assert told.outcome is adyen.STATUSES[status]
    if told.outcome is Outcome.DECLINED:
        assert (told.reason, told.psp_code) == (Reason.INSUFFICIENT_FUNDS, "notEnoughBalance")
        assert not told.about_request


@pytest.mark.parametrize("status", paypal.ITEMS)
def test_paypals_items(status: str) -> None:
    """The item tells, once the batch is not refused as a whole."""
    told = read("paypal", good("paypal", items__0__transaction_status=status))

    assert told.outcome is paypal.ITEMS[status]
    if told.outcome is Outcome.DECLINED:
        assert told.psp_code == status
        assert told.reason is (Reason.DO_NOT_RETRY if status == "BLOCKED" else Reason.PSP_CANCELLED)


@pytest.mark.parametrize("status", ["DENIED", "CANCELED"])
def test_a_batch_that_paypal_denies_has_not_paid(status: str) -> None:
    """Whatever its items are said to be."""
    told = read("paypal", good("paypal", batch_header__batch_status=status))

    assert (told.outcome, told.psp_code) == (Outcome.DECLINED, status)


@pytest.mark.parametrize(
    ("psp", "changed"),
    [
        ("adyen", {"status": "undefined"}),
        ("adyen", {"status": "brandNew"}),
        ("paypal", {"batch_header__batch_status": "BRAND_NEW"}),
        ("paypal", {"items__0__transaction_status": "BRAND_NEW"}),
    ],
    ids=str,
)
def test_a_status_that_is_not_known_is_for_a_person(psp: str, changed: dict[str, str]) -> None:
    """It is no reason to pay again; the PSP's own word is kept."""
    told = read(psp, good(psp, **changed))

    assert (told.outcome, told.is_alarm) == (Outcome.UNKNOWN, True)
    assert told.psp_code in changed.values()


def test_a_reversed_transfer_is_back() -> None:
    """Whole; a part of it is for a person."""
    told = read("stripe", good("stripe", amount_reversed=2500, reversed=True))

    assert (told.outcome, told.psp_code) == (Outcome.DECLINED, "reversed")


@given(psp=st.sampled_from(PSPS), body=st.dictionaries(st.text(max_size=8), json_values))
def test_any_json_says_nothing(psp: str, body: dict[str, Any]) -> None:
    """It never raises, and never says paid or failed."""
    assert read(psp, body).outcome is Outcome.UNKNOWN


@given(data=st.data(), psp=st.sampled_from(PSPS), value=json_values)
def test_one_odd_field_never_pays_another_amount(data: st.DataObject, psp: str, value: Any) -> None:
    """With anything in the place of any field: what is said to be paid still agrees."""
    name = data.draw(st.sampled_from(sorted(good(psp))))
    body = good(psp)
    body[name] = value
    told = read(psp, body)

    if told.outcome is Outcome.SUCCEEDED:
        assert told.reference
