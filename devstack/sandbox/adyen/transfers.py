"""Transfers to bank accounts: authorised at once, booked a little later. Pure.

`counterparty.transferInstrumentId` selects the outcome: `adyen_transfer_refused`, `…_failed`,
`…_returned`, or `SErefused`, `SEfailed`, `SEreturned`; any other is booked.
"""

from collections.abc import Sequence
from dataclasses import replace

from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen.notifications import moment, of_transfer
from devstack.sandbox.adyen.things import NewId, Transfer
from devstack.sandbox.jsonwire.messages import Answer, Change, Json

_SETTLES_S = 1.0
_RETURNED_S = 3 * 86_400.0
_CATEGORIES = ("bank", "card", "internal", "issuedCard", "platformPayment", "topUp")


def create(given: Json, new_id: NewId, now: float) -> Change:
    """Take a transfer in.

    Raises:
        Refused: the request does not validate.
    """
    read.amount_of(given)
    if given.get("category") not in _CATEGORIES:
        raise read.invalid("30_081", "Invalid category")
    if not isinstance(given.get("counterparty"), dict) or not given["counterparty"]:
        raise read.invalid("30_082", "Missing counterparty")
    transfer = Transfer(
        id=new_id(),
        name=read.text_of(given, "reference"),
        given=given,
        status="authorised",
        created=now,
        settles_at=now + _SETTLES_S,
    )
    if _outcome(transfer) == "refused":
        refused = replace(transfer, status="refused", reason="notEnoughBalance", settles_at=None)
        return _change("refused", refused, now, is_asked=True)
    return _change("payout_received", transfer, now, is_asked=True)


def settle(transfer: Transfer, now: float) -> Change:
    """Book a transfer, let it fail, or let a booked one come back."""
    outcome = _outcome(transfer)
    if transfer.status == "booked":
        back = replace(transfer, status="returned", reason="routeNotPossible", settles_at=None)
        return _change("payout_failed", back, now)
    if outcome == "failed":
        failed = replace(transfer, status="failed", reason="counterpartyBankUnavailable")
        return _change("refused", replace(failed, settles_at=None), now)
    settles_at = now + _RETURNED_S if outcome == "returned" else None
    return _change("payout", replace(transfer, status="booked", settles_at=settles_at), now)


def answer_of(transfer: Transfer) -> Answer:
    """Make the answer of a transfer."""
    body = {
        **transfer.given,
        "id": transfer.id,
        "status": transfer.status,
        "reason": transfer.reason,
        "direction": "outgoing",
        "creationDate": moment(transfer.created),
    }
    return Answer(200, body)


def list_of(found: Sequence[Transfer]) -> Answer:
    """Make the answer to a list of transfers."""
    return Answer(200, {"data": [answer_of(transfer).body for transfer in found], "_links": {}})


def _outcome(transfer: Transfer) -> str:
    counterparty = transfer.given.get("counterparty")
    instrument = counterparty.get("transferInstrumentId") if isinstance(counterparty, dict) else ""
    return str(instrument).removeprefix("adyen_transfer_").removeprefix("SE")


def _change(kind: str, transfer: Transfer, now: float, *, is_asked: bool = False) -> Change:
    amount, answer = read.amount_of(dict(transfer.given)), answer_of(transfer)
    event = of_transfer(transfer, answer.body or {}, now)
    return Change(
        kind=kind,
        reference=transfer.id,
        payment_reference=transfer.id,
        amount=amount.value if kind in ("payout", "payout_failed") else 0,
        currency=amount.currency,
        metadata=read.metadata_of({}, transfer.name),
        answer=answer if is_asked else None,
        things=(transfer,),
        events=(("balancePlatform.transfer.updated", event),),
    )
