"""Adyen's face: which call does what, and what is Adyen's own about keys, errors and headers."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from devstack.sandbox.adyen import disputes, links, modifications, payments, transfers
from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen.things import Dispute, Link, Modification, Payment, Transfer
from devstack.sandbox.jsonwire.face import JsonFace, Outcome
from devstack.sandbox.jsonwire.messages import Answer, Call, Change, Json, Refused, Thing

_LETTERS = string.ascii_uppercase + string.digits
_KEY_MAX = 64
# docs.adyen.com/development-resources/api-idempotency: at least 7 days.
_KEY_LASTS_S = 7 * 86_400.0
# Operation as faults name it → what is done to the payment of the path.
_ACTIONS = {"capture": "capture", "void": "cancel", "refund": "refund", "reverse": "reversal"}
_DISPUTES = frozenset({"defence_reasons", "supply_document", "submit_evidence", "accept_dispute"})
_READS = frozenset({"retrieve_link", "retrieve_payout", "list_payouts", "defence_reasons"})


class AdyenFace(JsonFace):
    """Adyen as callers see it. Keys are one space for all calls, and 500s are kept under them."""

    psp = "adyen"
    operations = frozenset(
        {"create", "confirm", "complete", "update_link", "payout"}
        | _ACTIONS.keys()
        | _READS
        | _DISPUTES
    )
    things = MappingProxyType(
        {kind.__name__: kind for kind in (Payment, Modification, Link, Transfer, Dispute)}
    )
    keeps_server_errors = True
    aliases = MappingProxyType({"cancel_by_reference": "void"})

    def authorize(self, call: Call) -> None:
        """Let in who shows an API key of a test account."""
        key = call.credentials
        if not key.startswith(("AQ", "test_")) or key in ("AQ", "test_"):
            message = "HTTP Status Response - Unauthorized"
            raise Refused(read.failure(401, "000", message, "security"))

    def operate(self, call: Call, given: Json, now: float) -> Change | Answer:
        """Carry a call out."""
        if call.operation in _ACTIONS:
            action = _ACTIONS[call.operation]
            return modifications.take_in(action, given, self._payment(call.target), _new_id, now)
        if call.operation in _DISPUTES:
            dispute = self.shelf.find(read.text_of(given, "disputePspReference"), Dispute)
            return disputes.operate(call.operation, given, dispute, now)
        match call.operation:
            case "confirm":
                return payments.pay(given, _new_id, now, f"{self.world.base_url}/adyen/3ds/")
            case "complete":
                return payments.complete(self._returned(given), now)
            case "cancel_by_reference":
                return self._cancel(given, now)
            case "create":
                return links.create(given, _new_id, now, self._link_page)
            case "update_link":
                return links.update(self._link(call.target), given, self._link_page)
            case "retrieve_link":
                return links.answer_of(self._link(call.target), self._link_page)
            case "payout":
                return transfers.create(given, _new_id, now)
            case "list_payouts":
                newest = now - self.world.stale_s
                found = self.shelf.named(call.target, Transfer)
                return transfers.list_of([one for one in found if one.created <= newest])
        return self._transfer(call.target)

    def settle(self, thing: Thing, now: float) -> Change:
        """Decide an object whose time has come."""
        if isinstance(thing, Payment):
            return payments.settle(thing, now)
        if isinstance(thing, Link):
            return links.settle(thing)
        if isinstance(thing, Transfer):
            return transfers.settle(thing, now)
        if not isinstance(thing, Modification):
            raise TypeError(f"{thing.id} never falls due")
        payment = self.shelf.find(thing.payment, Payment)
        return modifications.settle(thing, payment, now, over_refund=self.world.over_refund)

    def metadata_of(self, call: Call, given: Json) -> Mapping[str, str]:
        """Find the caller's ids: the payment's, and those of the request."""
        reference = call.target
        if call.operation == "complete":
            reference = _result_in(given).partition(".")[0]
        payment = self.shelf.find(reference, Payment)
        own = given.get("reference")
        metadata = read.metadata_of(given, own if isinstance(own, str) else "")
        return {**(payment.metadata if payment else {}), **metadata}

    def scope_of(self, call: Call) -> str | None:
        """Keep under the key alone: its scope is the company account."""
        if call.key is None or call.operation in _READS or call.operation == "update_link":
            return None
        if len(call.key) > _KEY_MAX:
            raise read.invalid("702", f"Idempotency keys are limited to {_KEY_MAX} characters")
        return call.key

    def lifetime_of(self, call: Call) -> float:
        """Keep for seven days."""
        return _KEY_LASTS_S

    def finish(self, call: Call, outcome: Outcome) -> Answer:
        """Repeat the key in the headers."""
        answer = outcome.answer
        if call.key is None:
            return answer
        return replace(answer, headers={**answer.headers, "idempotency-key": call.key})

    def server_error(self, *, kept: bool) -> Answer:
        """Make a 500; one that is not final says so."""
        if kept:
            return payments.IO_EXCEPTION
        return replace(payments.IO_EXCEPTION, headers=read.TRANSIENT)

    def rate_limited(self) -> Answer:
        """Make a 429."""
        return read.failure(429, "429", "Too Many Requests", "security")

    def malformed_body(self) -> Answer:
        """Make the answer to a body that is no JSON object."""
        return read.failure(400, "702", "Structure of the request is invalid")

    def in_progress(self) -> Answer:
        """Make the answer to a concurrent duplicate."""
        answer = read.failure(422, "704", "request already processed or in progress")
        return replace(answer, headers=read.TRANSIENT)

    def falsify(self, node: Json, off_by: int) -> None:
        """Put an Amount off."""
        if isinstance(node.get("value"), int) and "currency" in node:
            node["value"] += off_by

    def commit(self, change: Change, scope: str | None = None, call: Call | None = None) -> Outcome:
        """Commit; a payment whose method is one of a test is disputed at once."""
        outcome = super().commit(change, scope, call)
        for thing in change.things:
            if change.kind in ("charge", "capture") and isinstance(thing, Payment):
                code = disputes.OPENING.get(thing.token)
                if code and thing.captured:
                    now = self.world.clock.now()
                    super().commit(disputes.opened(thing, code, "", _new_id, now))
        return outcome

    def dispute(self, reference: str, reason: str, step: str) -> str:
        """See `world.Face.dispute`; `step` is an eventCode."""
        now = self.world.clock.now()
        found = self.shelf.find(reference, Dispute)
        if found is not None:
            self.commit(disputes.step(found, step, now))
            return found.id
        payment = self.shelf.find(reference, Payment)
        if payment is None or not payment.captured:
            raise ValueError("reference: there is no such payment, or it is not captured")
        change = disputes.opened(payment, step or "CHARGEBACK", reason, _new_id, now)
        self.commit(change)
        return change.reference

    def challenged(self, reference: str) -> Payment | None:
        """Find the payment that a buyer is asked to authenticate; None when it asks for none."""
        payment = self.shelf.find(reference, Payment)
        return payment if payment is not None and payment.state == "redirect" else None

    async def authenticate(self, payment: Payment, *, passed: bool) -> None:
        """End a buyer's challenge."""
        self.commit(payments.challenge(payment, passed=passed))
        await self.world.record.durable()

    def payable(self, reference: str) -> Link | None:
        """Find a link that can be paid; None when it cannot."""
        self.settle_due()
        link = self.shelf.find(reference, Link)
        return link if link is not None and link.status == "active" else None

    async def pay_link(self, link: Link) -> None:
        """Pay a link, as its buyer does."""
        self.commit(links.pay(link, _new_id, self.world.clock.now()))
        await self.world.record.durable()

    @property
    def _link_page(self) -> str:
        return f"{self.world.base_url}/adyen/pay/"

    def _payment(self, reference: str) -> Payment:
        payment = self.shelf.find(reference, Payment)
        if payment is None:
            raise read.invalid("167", "Original pspReference required for this operation")
        return payment

    def _returned(self, given: Json) -> Payment:
        result = _result_in(given)
        payment = self.shelf.find(result.partition(".")[0], Payment)
        if payment is None or payment.state == "redirect":
            raise read.invalid("14_018", "Invalid payload provided")
        if result != payments.redirect_result(payment):
            raise read.invalid("14_018", "Invalid payload provided")
        return payment

    def _cancel(self, given: Json, now: float) -> Change:
        reference = read.text_of(given, "paymentReference")
        if not reference:
            raise read.invalid("130", "Reference Missing")
        found = self.shelf.named(reference, Payment)
        payment = found[-1] if found else None
        return modifications.take_in("technical_cancel", given, payment, _new_id, now)

    def _link(self, reference: str) -> Link:
        link = self.shelf.find(reference, Link)
        if link is None:
            raise Refused(read.failure(404, "29_404", "Payment link not found"))
        return link

    def _transfer(self, reference: str) -> Answer:
        transfer = self.shelf.find(reference, Transfer)
        if transfer is None:
            raise Refused(read.failure(404, "30_404", "Transfer not found"))
        return transfers.answer_of(transfer)


def _result_in(given: Json) -> str:
    details = given.get("details")
    result = details.get("redirectResult") if isinstance(details, dict) else None
    return result if isinstance(result, str) else ""


def _new_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(16))
