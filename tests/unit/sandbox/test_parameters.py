"""Parameters, and what is refused before anything executes."""

import pytest

from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.form import pairs_of
from devstack.sandbox.stripe.parameters import Parameters
from devstack.sandbox.stripe.requests import KNOWN, read_create, read_list, read_refund


def given(form: str, operation: str = "create") -> Parameters:
    """Decode a form for an operation."""
    return Parameters(pairs_of(form), KNOWN[operation])


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=10", "parameter_missing", "currency"),
        ("amount=1.5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=-5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=1e3&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=1000000000000&currency=usd", "amount_too_large", "amount"),
        ("amount=10&currency=zzz", None, "currency"),
        ("amount=10&currency=xau", None, "currency"),
        ("amount=1001&currency=kwd", "parameter_invalid_integer", "amount"),
        ("amount=1050&currency=ugx", "parameter_invalid_integer", "amount"),
        ("amount=10&currency=usd&colour=red", "parameter_unknown", "colour"),
        ("amount=10&currency=usd&automatic_payment_methods[x]=1", "parameter_unknown",
         "automatic_payment_methods[x]"),
        ("amount=10&currency=usd&confirm=yes", "parameter_invalid_empty", "confirm"),
        ("amount=10&currency=usd&capture_method=later", None, "capture_method"),
        ("amount=10&currency=usd&return_url=https://x.example", None, "return_url"),
        ("amount=10&currency=usd&metadata=x", "parameter_invalid_empty", "metadata"),
        (f"amount=10&currency=usd&metadata[{'k' * 41}]=x", None, f"metadata[{'k' * 41}]"),
        (f"amount=10&currency=usd&metadata[k]={'v' * 501}", None, "metadata[k]"),
    ],
)  # fmt: skip
def test_wrong_creates_are_refused(form: str, code: str | None, param: str) -> None:
    """Each slip is told with Stripe's code and the parameter, and keeps nothing under the key."""
    with pytest.raises(StripeError) as refused:
        read_create(given(form))

    error = refused.value
    assert (error.status, error.error["type"]) == (400, "invalid_request_error")
    assert (error.error.get("code"), error.error.get("param")) == (code, param)
    assert not error.executed


def test_a_whole_create_is_read() -> None:
    """What a caller sends arrives."""
    request = read_create(
        given(
            "amount=999&currency=EUR&confirm=true&payment_method=pm_card_visa&capture_method=manual"
            "&payment_method_types[]=card&metadata[payment_id]=pay_1&return_url=https://x.example"
            "&description=d&customer=cus_1"
        )
    )

    assert (request.amount, request.currency, request.confirm) == (999, "eur", True)
    assert request.how.payment_method == "pm_card_visa"
    assert (request.how.capture_method, request.how.return_url) == ("manual", "https://x.example")
    assert (request.payment_method_types, request.metadata) == (("card",), {"payment_id": "pay_1"})
    assert (dict(request.how.echoed), request.customer) == ({"description": "d"}, "cus_1")


@pytest.mark.parametrize(
    ("form", "since", "until"),
    [
        ("created=7", 7, 7),
        ("created[gte]=7", 7, None),
        ("created[gt]=7&created[lt]=10", 8, 9),
        ("created[gte]=7&created[gt]=7&created[lte]=9", 8, 9),
    ],
)
def test_bounds_of_time(form: str, since: int | None, until: int | None) -> None:
    """Bounds are read inclusive."""
    window = read_list(given(form, "list")).window

    assert (window.since, window.until) == (since, until)


@pytest.mark.parametrize(
    "form",
    ["limit=0", "limit=101", "limit=x", "starting_after=a&ending_before=b", "created[x]=1"],
)
def test_wrong_lists_are_refused(form: str) -> None:
    """A list's window is checked."""
    with pytest.raises(StripeError):
        read_list(given(form, "list"))


@pytest.mark.parametrize("form", ["amount=5", "payment_intent=pi_1&amount=0", "charge=c&reason=x"])
def test_wrong_refunds_are_refused(form: str) -> None:
    """A refund names what it refunds, an amount above zero, and a reason that Stripe knows."""
    with pytest.raises(StripeError):
        read_refund(given(form, "refund"))
