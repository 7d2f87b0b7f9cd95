"""Adyen's payments and modifications as pure functions: what each state lets happen."""

from dataclasses import replace
from itertools import count

import pytest

from devstack.sandbox.adyen import modifications, payments
from devstack.sandbox.adyen.things import Modification, Payment
from devstack.sandbox.adyen.tokens import REFUSALS, Behaviour, behaviour_of
from devstack.sandbox.jsonwire.messages import Change

NOW = 1_800_000_000.0
HELD = Payment("P1", "att_1", "Shop", 1000, "EUR", "any", authorised=1000, is_manual=True)
TAKEN = replace(HELD, captured=1000, is_manual=False)


def asked(action: str, amount: int = 1000, currency: str = "EUR") -> Modification:
    """A modification that was taken in."""
    return Modification("M1", "mod_1", "P1", action, "Shop", amount, currency)


@pytest.mark.parametrize(
    ("modification", "payment", "kind"),
    [
        (asked("capture"), HELD, "capture"),
        (asked("capture", 1001), HELD, "refused"),
        (asked("capture", 1, "USD"), HELD, "refused"),
        (asked("capture", 1), TAKEN, "refused"),
        (asked("capture", 1), replace(HELD, state="voided"), "refused"),
        (asked("capture", 1), replace(HELD, state="refused", authorised=0), "refused"),
        (asked("cancel"), HELD, "void"),
        (asked("cancel"), TAKEN, "refused"),
        (asked("cancel"), replace(HELD, state="voided"), "refused"),
        (asked("refund"), TAKEN, "refund"),
        (asked("refund"), HELD, "refused"),
        (asked("refund", 1), replace(TAKEN, refunded=1000), "refused"),
        (asked("reversal"), HELD, "void"),
        (asked("reversal"), TAKEN, "refund"),
        (asked("reversal"), replace(TAKEN, refunded=1000), "refused"),
        (asked("technical_cancel"), HELD, "void"),
        (asked("technical_cancel"), None, "refused"),
    ],
)
def test_what_a_state_lets_happen(
    modification: Modification, payment: Payment | None, kind: str
) -> None:
    """A modification is carried out or refused by what was taken and what is held; one webhook."""
    change = modifications.settle(modification, payment, NOW, over_refund=False)

    assert change.kind == kind
    assert (change.amount > 0) is (kind != "refused")
    [(_, body)] = change.events
    item = body["notificationItems"][0]["NotificationRequestItem"]
    assert item["success"] == ("false" if kind == "refused" else "true")


def test_a_reversal_gives_back_what_is_left() -> None:
    """Of a partly refunded payment a reversal refunds the rest."""
    partly = replace(TAKEN, refunded=300)

    change = modifications.settle(asked("reversal"), partly, NOW, over_refund=False)

    assert (change.kind, change.amount) == ("refund", 700)


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_has_its_method(code: str) -> None:
    """Each documented refusalReasonCode can be asked for."""
    assert behaviour_of(f"adyen_refused_{code}") == Behaviour(refusal_code=code)


def test_an_undocumented_refusal_is_an_unknown_method() -> None:
    """A code that Adyen does not have selects nothing: the payment succeeds."""
    assert behaviour_of("adyen_refused_999") == Behaviour()


def test_a_redirect_charges_nothing_before_its_details() -> None:
    """The page's result moves no money; completing does, once."""
    ids = count()
    given = {
        "merchantAccount": "Shop",
        "reference": "att_1",
        "amount": {"value": 1000, "currency": "EUR"},
        "paymentMethod": {"storedPaymentMethodId": "adyen_redirect"},
        "returnUrl": "https://shop.example/",
    }
    waiting = payments.pay(given, lambda: f"ID{next(ids)}", NOW, "http://127.0.0.1/3ds/")
    [payment] = waiting.things
    assert isinstance(payment, Payment)

    [passed] = payments.challenge(payment, passed=True).things
    assert isinstance(passed, Payment)
    done = payments.complete(passed, NOW)

    assert waiting.amount == 0
    assert isinstance(done, Change)
    assert (done.kind, done.amount) == ("charge", 1000)
