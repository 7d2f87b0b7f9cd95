"""Transfers to connected accounts: the money is there when the call answers. Pure.

The destination selects the outcome: `acct_missing…` and `acct_incapable…` are refused, `acct_poor…`
finds our own balance too low, and what goes to `acct_reversed…` is taken back a day later; any
other account has it.
"""

from dataclasses import replace

from devstack.sandbox.stripe.attempts import NewId
from devstack.sandbox.stripe.changes import Answer, Change
from devstack.sandbox.stripe.currencies import check_amount, checked_currency
from devstack.sandbox.stripe.errors import StripeError, invalid
from devstack.sandbox.stripe.objects import Transfer
from devstack.sandbox.stripe.parameters import Parameters

_REVERSED_S = 86_400.0
# docs.stripe.com/error-codes. Who has no such account is told before anything executes.
_REFUSALS = {
    "acct_incapable": (
        "insufficient_capabilities_for_transfer",
        "Your destination account needs to have at least one of the capabilities enabled.",
    ),
    "acct_poor": (
        "balance_insufficient",
        "You have insufficient available funds in your Stripe account.",
    ),
}


def create(given: Parameters, new_id: NewId, now: float) -> Change:
    """Move money to a connected account.

    Raises:
        StripeError: a parameter is wrong, or the transfer is refused.
    """
    amount = given.integer("amount", required=True)
    currency = checked_currency(given.required("currency"))
    check_amount(amount, currency)
    destination = given.required("destination")
    if not destination.startswith("acct_") or destination.startswith("acct_missing"):
        message = f"No such destination: '{destination}'"
        raise invalid(message, code="resource_missing", param="destination")
    for prefix, (code, text) in _REFUSALS.items():
        if destination.startswith(prefix):
            raise StripeError(400, "invalid_request_error", text, code=code, executed=True)
    comes_back = destination.startswith("acct_reversed")
    transfer = Transfer(
        id=new_id("tr_"),
        amount=amount,
        currency=currency,
        destination=destination,
        created=int(now),
        metadata=given.metadata(),
        transfer_group=given.text("transfer_group"),
        description=given.text("description"),
        settles_at=now + _REVERSED_S if comes_back else None,
    )
    return _change("payout", transfer, "transfer.created")


def settle(transfer: Transfer) -> Change:
    """Take a transfer back whole."""
    reversed_ = replace(transfer, amount_reversed=transfer.amount, settles_at=None)
    return _change("payout_failed", reversed_, "transfer.reversed")


def _change(kind: str, transfer: Transfer, event: str) -> Change:
    return Change(
        kind=kind,
        reference=transfer.id,
        payment_reference=transfer.id,
        amount=transfer.amount,
        currency=transfer.currency,
        metadata=transfer.metadata,
        answer=Answer(200, transfer),
        transfer=transfer,
        events=(event,),
    )
