"""Stripe's test tokens."""

import pytest

from devstack.sandbox.stripe.tokens import TOKENS, behaviour_of


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined",
         "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)  # fmt: skip
def test_declines(token: str, code: str, decline_code: str) -> None:
    """A declining token declines at once, with Stripe's codes."""
    behaviour = behaviour_of(token)

    assert behaviour.decline is not None
    assert (behaviour.decline.code, behaviour.decline.decline_code) == (code, decline_code)
    assert not behaviour.authenticates


@pytest.mark.parametrize(
    "token", ["pm_card_visa", "pm_card_mastercard", "pm_card_amex", "psp_card_token_xyz", "x"]
)
def test_successes(token: str) -> None:
    """The brands and every unknown token succeed at once."""
    behaviour = behaviour_of(token)

    assert behaviour.decline is None
    assert not behaviour.authenticates
    assert behaviour.settle_s is None


def test_authentication() -> None:
    """The 3-D Secure tokens ask for the buyer; some decline after that."""
    required = behaviour_of("pm_card_threeDSecure2Required")
    declined = behaviour_of("pm_card_threeDSecureRequiredChargeDeclined")

    assert (required.authenticates, required.decline) == (True, None)
    assert declined.authenticates
    assert declined.decline is not None


def test_each_token_does_one_thing() -> None:
    """Only a card is authenticated, and only a slow method settles late."""
    for token, behaviour in TOKENS.items():
        assert not (behaviour.authenticates and behaviour.settle_s is not None), token
        is_card = token.startswith("pm_card_") or behaviour.wallet != ""
        assert (behaviour.method == "card") == is_card, token
        assert not behaviour.wallet or token.startswith(f"pm_{behaviour.wallet}"), token
        assert len(behaviour.last4) == 4, token
