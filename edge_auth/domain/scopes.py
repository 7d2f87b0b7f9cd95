"""What a client may do, and what each method of the public API asks for.

One table, read top to bottom. A method that is not in it is refused, whoever asks.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Scope(StrEnum):
    """One thing that a client may be allowed."""

    READ = "read"  # look at payments, payouts, events
    PAY = "pay"  # take money in: create, capture, cancel
    REFUND = "refund"  # give money back to buyers
    PAYOUT = "payout"  # send money out to sellers
    OPERATE = "operate"  # webhook endpoints, evidence in disputes


MONEY_OUT = frozenset({Scope.REFUND, Scope.PAYOUT})
# What a client has that was registered without a word about scopes.
DEFAULT = (Scope.READ, Scope.PAY, Scope.OPERATE)

_PAYMENTS, _WEBHOOKS = (
    "paymesh.payment.v1.PaymentService",
    "paymesh.payment.v1.WebhookEndpointService",
)
NEEDED: Mapping[str, Scope] = {
    f"{_PAYMENTS}/CreatePayment": Scope.PAY,
    f"{_PAYMENTS}/CapturePayment": Scope.PAY,
    f"{_PAYMENTS}/CancelPayment": Scope.PAY,
    f"{_PAYMENTS}/ResumePayment": Scope.PAY,
    f"{_PAYMENTS}/CreateCheckoutSession": Scope.PAY,
    f"{_PAYMENTS}/GetPayment": Scope.READ,
    f"{_PAYMENTS}/ListPayments": Scope.READ,
    f"{_PAYMENTS}/WatchPayment": Scope.READ,
    f"{_PAYMENTS}/GetCheckoutSession": Scope.READ,
    f"{_PAYMENTS}/CreateRefund": Scope.REFUND,
    f"{_PAYMENTS}/GetRefund": Scope.READ,
    f"{_PAYMENTS}/CreatePayout": Scope.PAYOUT,
    f"{_PAYMENTS}/GetPayout": Scope.READ,
    f"{_PAYMENTS}/ListDisputes": Scope.READ,
    f"{_PAYMENTS}/GetDispute": Scope.READ,
    f"{_PAYMENTS}/SubmitEvidence": Scope.OPERATE,
    f"{_PAYMENTS}/AcceptDispute": Scope.REFUND,
    f"{_WEBHOOKS}/CreateWebhookEndpoint": Scope.OPERATE,
    f"{_WEBHOOKS}/GetWebhookEndpoint": Scope.READ,
    f"{_WEBHOOKS}/ListWebhookEndpoints": Scope.READ,
    f"{_WEBHOOKS}/DeleteWebhookEndpoint": Scope.OPERATE,
    f"{_WEBHOOKS}/RotateWebhookSecret": Scope.OPERATE,
    f"{_WEBHOOKS}/ListEvents": Scope.READ,
    f"{_WEBHOOKS}/ListWebhookDeliveries": Scope.READ,
    f"{_WEBHOOKS}/RedeliverEvent": Scope.OPERATE,
}


def move_money_out(scopes: Iterable[Scope]) -> bool:
    """Tell whether a client with these scopes must sign its requests."""
    return not MONEY_OUT.isdisjoint(scopes)
