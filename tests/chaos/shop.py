"""What buyers buy: requests drawn at random, of all kinds that the API knows, from one seed."""

from random import Random
from typing import Any

SELLERS = 40
_HOT_SHARE = 0.3  # of orders that go to one of three sellers
# By PSP: what pays, and what is declined.
_GOOD = ("pm_card_visa", "pm_card_mastercard", "adyen:shopper_1:any_card", "paypal:card:any_card")
_DECLINED = (
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "adyen:shopper_1:adyen_refused_2",
    "paypal:card:paypal_instrument_declined",
)
_CURRENCIES = ("USD", "EUR", "GBP")


def order(chance: Random, name: str, currency: str) -> dict[str, Any]:
    """Draw an order to a seller, hot or not."""
    seller = chance.randrange(3 if chance.random() < _HOT_SHARE else SELLERS)
    amount = f"{chance.randrange(1, 500)}.{chance.randrange(100):02}"
    return {
        "seller_account": f"seller_{seller}",
        "amount": amount,
        "currency": currency,
        "payment_order_id": name,
    }


def payment(chance: Random, name: str, *, manual: bool = False) -> dict[str, Any]:
    """Draw a payment of one to four orders; one in ten is declined."""
    currency = chance.choice(_CURRENCIES)
    count = chance.choice((1, 1, 1, 2, 3, 4))
    tokens = _DECLINED if chance.random() < 0.1 and not manual else _GOOD
    request: dict[str, Any] = {
        "buyer_info": {"id": f"buyer_{chance.randrange(200)}", "email": "buyer@example.com"},
        "checkout_id": f"checkout-{name}",
        "credit_card_info": {"token": chance.choice(tokens)},
        "payment_orders": [order(chance, f"{name}-{n}", currency) for n in range(count)],
    }
    if manual:
        request["capture_method"] = "MANUAL"
    elif count > 1 and chance.random() < 0.4:
        request["partial_failure_policy"] = "KEEP_SUCCESSFUL"
    return request


def plain(chance: Random, name: str, token: str) -> dict[str, Any]:
    """Draw a payment of one order by a certain token."""
    return {
        **payment(chance, name),
        "credit_card_info": {"token": token},
        "payment_orders": [order(chance, name, "USD")],
        "partial_failure_policy": "ALL_OR_NOTHING",
    }


def another_body(request: dict[str, Any]) -> dict[str, Any]:
    """Change what is asked, as a client does that uses a key again by mistake."""
    first, *others = request["payment_orders"]
    dearer = {**first, "amount": "777.77"}
    return {**request, "payment_orders": [dearer, *others]}
