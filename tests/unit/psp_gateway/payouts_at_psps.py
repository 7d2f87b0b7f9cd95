"""A payout of 25 USD at each PSP, the PSP's own object of it, and how that is read."""

from collections.abc import Callable, Mapping
from typing import Any

from chassis.money import Money
from privacy.masked import Personal
from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.payout import Destination, Payout, PspAccount
from psp_gateway.providers.adyen import payouts as adyen
from psp_gateway.providers.paypal import payouts as paypal
from psp_gateway.providers.stripe import payouts as stripe
from tests.builders import NOW

TO = {
    "stripe": Destination(PspAccount("stripe", Personal("acct_1")), "Sales of May"),
    "adyen": Destination(PspAccount("adyen", Personal("SE1234")), "Sales of May"),
    "paypal": Destination(PspAccount("paypal", Personal("jo@example.com")), "Sales of May"),
}
READERS: Mapping[str, Callable[[Mapping[str, Any], Payout, str], Answer]] = {
    "stripe": stripe.transfer_answer,
    "adyen": adyen.transfer_answer,
    "paypal": paypal.batch_answer,
}
PSPS = sorted(TO)


def new_payout(psp: str, *, reference: str = "", attempt_id: str = "att_1") -> Payout:
    """Make a payout of 25 USD."""
    return Payout(
        attempt_id=attempt_id,
        payout_id="pout_1",
        client_id="demo",
        psp=psp,
        amount=Money.parse("25.00", "USD"),
        fingerprint="f",
        created_at=NOW,
        updated_at=NOW,
        key_since=NOW,
        psp_reference=reference,
    )


def good(psp: str, **changed: Any) -> dict[str, Any]:
    """Write the PSP's object of it, paid; `changed` are fields of it, dots leading inwards."""
    body: dict[str, Any] = {
        "stripe": {
            "object": "transfer", "id": "tr_1", "amount": 2500, "currency": "usd",
            "amount_reversed": 0, "reversed": False, "metadata": {"attempt_id": "att_1"},
        },
        "adyen": {
            "id": "TR1", "status": "booked", "reason": "approved", "direction": "outgoing",
            "amount": {"value": 2500, "currency": "USD"}, "reference": "att_1",
        },
        "paypal": {
            "batch_header": {
                "payout_batch_id": "B1", "batch_status": "SUCCESS",
                "sender_batch_header": {"sender_batch_id": "att_1"},
            },
            "items": [{
                "transaction_status": "SUCCESS",
                "payout_item": {
                    "sender_item_id": "att_1", "amount": {"currency": "USD", "value": "25.00"},
                },
            }],
        },
    }[psp]  # fmt: skip
    for path, value in changed.items():
        *inwards, last = path.split("__")
        place: Any = body
        for step in inwards:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value
    return body


def read(psp: str, body: Mapping[str, Any], reference: str = "") -> Verdict:
    """Read the PSP's object."""
    told = READERS[psp](body, new_payout(psp, reference=reference), "200")
    assert isinstance(told, Verdict)
    return told
