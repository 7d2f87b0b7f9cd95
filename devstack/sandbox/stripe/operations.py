"""Stripe's calls by name: each reads its parameters, then asks the pure code what comes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from devstack.sandbox.stripe import (
    disputes,
    payment_intents,
    refunds,
    requests,
    sessions,
    transfers,
)
from devstack.sandbox.stripe.attempts import NewId
from devstack.sandbox.stripe.changes import Answer, Change, Page
from devstack.sandbox.stripe.errors import invalid
from devstack.sandbox.stripe.objects import Charge, Intent
from devstack.sandbox.stripe.parameters import Parameters
from devstack.sandbox.stripe.shelf import Shelf

_INTENTS_URL = "/v1/payment_intents"
_REFUNDS_URL = "/v1/refunds"
_CHARGES_URL = "/v1/charges"
_TRANSFERS_URL = "/v1/transfers"


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation works with.

    Args:
        target: the id in the path; "" when it has none.
        now: Unix seconds of the sandbox's clock.
    """

    shelf: Shelf
    given: Parameters
    target: str
    now: float
    new_id: NewId
    over_refund: bool

    def intent(self) -> Intent:
        """Find the intent of the path.

        Raises:
            StripeError: there is none.
        """
        return self.shelf.intents.get(self.target, "intent")


def _create(at: Context) -> Change:
    return payment_intents.create(requests.read_create(at.given), at.new_id, at.now)


def _confirm(at: Context) -> Change:
    how = requests.read_confirm(at.given)
    is_expanded = requests.read_expand(at.given)
    change = payment_intents.confirm(at.intent(), how, at.new_id, at.now)
    if not is_expanded or change.answer.error is not None:
        return change
    return replace(change, answer=replace(change.answer, charge=change.charge))


def _capture(at: Context) -> Change:
    intent = at.intent()
    request = requests.read_capture(at.given, intent.currency)
    return payment_intents.capture(intent, at.shelf.charges.find(intent.latest_charge), request)


def _cancel(at: Context) -> Change:
    reason = requests.read_cancel(at.given)
    return payment_intents.cancel(at.intent(), reason, at.now)


def _refund(at: Context) -> Change:
    request = requests.read_refund(at.given)
    intent, charge = _refundable(at.shelf, request)
    return refunds.refund(request, intent, charge, at.new_id, at.now, over_refund=at.over_refund)


def _refundable(shelf: Shelf, request: requests.RefundRequest) -> tuple[Intent, Charge | None]:
    if request.charge is None:
        intent = shelf.intents.get(request.payment_intent or "", "payment_intent")
        return intent, shelf.charges.find(intent.latest_charge)
    charge = shelf.charges.get(request.charge, "charge")
    if request.payment_intent not in (None, charge.payment_intent):
        message = f"Charge {charge.id} does not belong to {request.payment_intent}."
        raise invalid(message, param="charge")
    return shelf.intents.get(charge.payment_intent, "payment_intent"), charge


def _retrieve(at: Context) -> Answer:
    is_expanded = requests.read_expand(at.given)
    intent = at.intent()
    charge = at.shelf.charges.find(intent.latest_charge) if is_expanded else None
    return Answer(200, intent, charge=charge)


def _retrieve_refund(at: Context) -> Answer:
    return Answer(200, at.shelf.refunds.get(at.target, "refund"))


def _retrieve_charge(at: Context) -> Answer:
    return Answer(200, at.shelf.charges.get(at.target, "id"))


def _list(at: Context) -> Answer:
    asked = requests.read_list(at.given)
    items, more = at.shelf.intents.page(
        asked.window, lambda intent: asked.customer in (None, intent.customer)
    )
    return Answer(200, Page(_INTENTS_URL, items, more))


def _list_refunds(at: Context) -> Answer:
    asked = requests.read_list(at.given)
    among = None
    if asked.charge or asked.payment_intent:
        charge_id = asked.charge
        if charge_id is None:
            intent = at.shelf.intents.get(asked.payment_intent or "", "payment_intent", 400)
            charge_id = intent.latest_charge
        among = at.shelf.refunds_of(charge_id)
    items, more = at.shelf.refunds.page(
        asked.window, lambda refund: asked.payment_intent in (None, refund.payment_intent), among
    )
    return Answer(200, Page(_REFUNDS_URL, items, more))


def _list_charges(at: Context) -> Answer:
    asked = requests.read_list(at.given)
    among = at.shelf.charges_of(asked.payment_intent) if asked.payment_intent else None
    items, more = at.shelf.charges.page(asked.window, lambda _: True, among)
    return Answer(200, Page(_CHARGES_URL, items, more))


def _update_dispute(at: Context) -> Change:
    dispute = at.shelf.disputes.get(at.target, "dispute")
    given = at.given.branch("evidence", disputes.TEXTS | disputes.FILES)
    return disputes.update(dispute, given, at.shelf, at.now, submit=at.given.flag("submit"))


def _close_dispute(at: Context) -> Change:
    return disputes.close(at.shelf.disputes.get(at.target, "dispute"))


def _retrieve_dispute(at: Context) -> Answer:
    return Answer(200, at.shelf.disputes.get(at.target, "dispute"))


def _upload(at: Context) -> Change:
    names = ("purpose", "name", "size")
    given = {name: at.given.text(name) or "" for name in names}
    return disputes.upload(given, at.new_id, at.now)


def _create_session(at: Context) -> Change:
    return sessions.create(sessions.read_create(at.given, at.now), at.new_id, at.now)


def _expire_session(at: Context) -> Change:
    return sessions.expire(at.shelf.sessions.get(at.target, "session"))


def _retrieve_session(at: Context) -> Answer:
    return Answer(200, at.shelf.sessions.get(at.target, "session"))


def _transfer(at: Context) -> Change:
    return transfers.create(at.given, at.new_id, at.now)


def _retrieve_transfer(at: Context) -> Answer:
    return Answer(200, at.shelf.transfers.get(at.target, "transfer"))


def _list_transfers(at: Context) -> Answer:
    group, destination = at.given.text("transfer_group"), at.given.text("destination")
    items, more = at.shelf.transfers.page(
        at.given.window(),
        lambda one: group in (None, one.transfer_group) and destination in (None, one.destination),
    )
    return Answer(200, Page(_TRANSFERS_URL, items, more))


WRITES: Mapping[str, Callable[[Context], Change]] = MappingProxyType(
    {
        "create": _create,
        "confirm": _confirm,
        "capture": _capture,
        "cancel": _cancel,
        "refund": _refund,
        "update_dispute": _update_dispute,
        "close_dispute": _close_dispute,
        "upload": _upload,
        "create_session": _create_session,
        "expire_session": _expire_session,
        "payout": _transfer,
    }
)
READS: Mapping[str, Callable[[Context], Answer]] = MappingProxyType(
    {
        "retrieve": _retrieve,
        "list": _list,
        "retrieve_refund": _retrieve_refund,
        "list_refunds": _list_refunds,
        "retrieve_charge": _retrieve_charge,
        "retrieve_dispute": _retrieve_dispute,
        "list_charges": _list_charges,
        "retrieve_session": _retrieve_session,
        "retrieve_payout": _retrieve_transfer,
        "list_payouts": _list_transfers,
    }
)
