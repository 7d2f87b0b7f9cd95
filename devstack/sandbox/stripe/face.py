"""Stripe's face: what happens to a call, in order.

Dark → key → rate limit → idempotency → faults → effect → record → disk → answer.
"""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from devstack.sandbox.delivery import Ending, Reply
from devstack.sandbox.entry import Entry
from devstack.sandbox.faults import Fault, Stage, Target
from devstack.sandbox.jsonwire.messages import Event
from devstack.sandbox.stripe import attempts, bodies, disputes, lines, refunds, sessions, transfers
from devstack.sandbox.stripe.calls import Call
from devstack.sandbox.stripe.changes import (
    MOVED,
    SERVER_ERROR,
    Answer,
    Change,
    Page,
    without_effect,
)
from devstack.sandbox.stripe.errors import StripeError, unexpected_state
from devstack.sandbox.stripe.events import events_of
from devstack.sandbox.stripe.keys import KeyCache
from devstack.sandbox.stripe.objects import Charge, Intent, Session, Transfer
from devstack.sandbox.stripe.operations import READS, WRITES, Context
from devstack.sandbox.stripe.parameters import Parameters
from devstack.sandbox.stripe.requests import KNOWN
from devstack.sandbox.stripe.shelf import Shelf
from devstack.sandbox.stripe.tokens import behaviour_of
from devstack.sandbox.world import World

Pairs = list[tuple[str, str]]

_TOO_MANY = Answer(
    429,
    error={
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Request rate limit exceeded. Learn more: https://docs.stripe.com/rate-limits",
    },
)

_DECLINED = {
    "type": "card_error",
    "code": "card_declined",
    "decline_code": "generic_decline",
    "message": "Your card was declined.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and how it came about.

    Args:
        moved: whether money, or a hold on it, moved just now.
        replayed: whether it was given under this key before.
        kept: whether it is to be given again under its key.
    """

    answer: Answer
    moved: bool = False
    replayed: bool = False
    kept: bool = True


class StripeFace:
    """Stripe as callers see it."""

    psp = "stripe"
    operations = frozenset({*WRITES, *READS})

    def __init__(self, world: World) -> None:
        self._world = world
        self._shelf = Shelf()
        self._keys = KeyCache(world.key_lifetime_s)
        self._events: list[Event] = []
        self.tells = False  # whether anybody takes the events away

    async def handle(self, call: Call) -> Reply:
        """Answer a call, or fail to in the way a fault asks for."""
        if self._world.dark:
            return Reply(ending=Ending.HANG_UP)
        try:
            call.authorize()
            pairs = call.pairs()
            target = self._target(call, pairs)
            limit = self._world.faults.strike(Stage.FRONT, target)
            if limit is not None:
                return await self._limited(limit, call, target)
            self.settle_due()
            outcome = await self._outcome(call, pairs, target)
        except StripeError as error:
            outcome = Outcome(Answer.refusing(error))
            await self._world.record.durable()
            return self._reply(call, outcome, None)
        await self._world.record.durable()
        kinds = _answer_kinds(outcome)
        fault = self._world.faults.strike(Stage.ANSWER, replace(target, kinds=kinds))
        return self._reply(call, outcome, fault)

    def restore(self, entry: Entry, detail: Mapping[str, Any]) -> None:
        """Take up a line of the record."""
        lines.restore(entry, detail, self._shelf, self._keys)

    def settle_due(self) -> None:
        """Decide the slow payments and refunds whose time has come."""
        now = self._world.clock.now()
        while (due := self._shelf.pop_due(now)) is not None:
            if isinstance(due, Intent):
                charge = self._shelf.charges.get(due.latest_charge or "", "charge")
                self._commit(attempts.settle(due, charge, _new_id, now), None, None)
            elif isinstance(due, Session):
                self._commit(sessions.expire(due), None, None)
            elif isinstance(due, Transfer):
                self._commit(transfers.settle(due), None, None)
            else:
                charge = self._shelf.charges.get(due.charge, "charge")
                self._commit(refunds.settle(due, charge), None, None)

    def drain_events(self) -> list[Event]:
        """Hand over what there is to tell since the last time; forgotten by a crash."""
        self.settle_due()
        events, self._events = self._events, []
        return events

    def state(self) -> Mapping[str, Any]:
        """Count the objects by status, and the keys."""
        return {
            "payment_intents": Counter(intent.status for intent in self._shelf.intents),
            "charges": Counter(charge.status for charge in self._shelf.charges),
            "refunds": Counter(refund.status for refund in self._shelf.refunds),
            "transfers": len(self._shelf.transfers),
            "disputes": Counter(dispute.status for dispute in self._shelf.disputes),
            "idempotency_keys": len(self._keys),
        }

    def dispute(self, reference: str, reason: str, step: str) -> str:
        """Let a charge be disputed, or a dispute come to the status `step`; tell its id.

        Raises:
            ValueError: it cannot.
        """
        if step:
            found = self._shelf.dispute_of(reference)
            if found is None:
                raise ValueError("reference: there is no dispute of it")
            self._commit(disputes.step(found, step), None, None)
            return found.id
        intent = self._shelf.intents.find(reference)
        name = intent.latest_charge if intent is not None else reference
        charge = self._shelf.charges.find(name)
        if charge is None or not charge.captured:
            raise ValueError("reference: there is no such charge")
        if reason not in disputes.REASONS:
            raise ValueError("reason: is none of Stripe's")
        change = disputes.opened(charge, reason, _new_id, self._world.clock.now())
        self._commit(change, None, None)
        return change.reference

    def intent(self, reference: str) -> Intent:
        """Find the intent that a buyer is asked to authenticate.

        Raises:
            StripeError: there is none.
        """
        return self._shelf.intents.get(reference, "intent")

    async def authenticate(self, reference: str, *, passed: bool) -> Intent:
        """End a buyer's 3-D Secure challenge.

        Raises:
            StripeError: there is no such intent, or it waits for no buyer.
        """
        intent = self.intent(reference)
        if intent.status != "requires_action":
            raise unexpected_state(f"Nothing to authenticate: {intent.status}.", intent)
        now = self._world.clock.now()
        change = attempts.authenticate(intent, _new_id, now, passed=passed)
        session = self._shelf.session_of(reference)
        self._commit(sessions.with_session(change, session) if session else change, None, None)
        await self._world.record.durable()
        return self.intent(reference)

    def session(self, reference: str) -> Session:
        """Find a page.

        Raises:
            StripeError: there is none.
        """
        self.settle_due()
        return self._shelf.sessions.get(reference, "session")

    async def pay(self, reference: str, token: str) -> Intent:
        """Try to pay on a page as its buyer does; answer the intent as it then is.

        Raises:
            StripeError: there is no such page, it is over, or it waits for 3-D Secure.
        """
        session = self.session(reference)
        if session.status != "open":
            raise StripeError(409, "invalid_request_error", "This page is over.")
        intent = self._shelf.intents.find(session.payment_intent)
        url = bodies.page_url(session, self._world.base_url)
        now = self._world.clock.now()
        change = sessions.pay(session, intent, token, url, _new_id, now)
        self._commit(change, None, None)
        await self._world.record.durable()
        return self.intent(change.payment_reference)

    async def _limited(self, fault: Fault, call: Call, target: Target) -> Reply:
        if call.idempotency_key is not None:
            change = Change("limited", "", "", 0, "", target.metadata, _TOO_MANY)
            self._commit(change, call.idempotency_key, None)
            await self._world.record.durable()
        return _rate_limited(fault)

    async def _outcome(self, call: Call, pairs: Pairs, target: Target) -> Outcome:
        key = call.idempotency_key
        if key is None or call.operation in READS:
            return await self._execute(call, pairs, target, None, None)
        fingerprint = call.fingerprint(pairs)
        kept = self._keys.begin(key, fingerprint, self._world.clock.now())
        if kept is not None:
            return Outcome(kept, replayed=True)
        try:
            outcome = await self._execute(call, pairs, target, key, fingerprint)
            # Until it is on disk the call is under way: a second one is told so.
            await self._world.record.durable()
            if outcome.kept:
                self._keys.keep(key, outcome.answer)
            return outcome
        finally:
            self._keys.give_up(key)

    async def _execute(
        self, call: Call, pairs: Pairs, target: Target, key: str | None, fingerprint: str | None
    ) -> Outcome:
        fault = self._world.faults.strike(Stage.EXECUTE, target)
        kind = fault.kind if fault is not None else None
        if fault is not None and kind == "slow":
            await self._world.pause(fault.delay_ms / 1000)
        if fault is not None and kind == "error_before":
            if not fault.cached:
                return Outcome(SERVER_ERROR, kept=False)
            return self._commit(without_effect("error", SERVER_ERROR), key, fingerprint)
        now, stale_s = self._world.clock.now(), self._world.stale_s
        newest = int(now - stale_s) if stale_s else None
        at = Context(
            shelf=self._shelf,
            given=Parameters(pairs, KNOWN[call.operation], newest),
            target=call.target,
            now=now,
            new_id=_new_id,
            over_refund=self._world.over_refund,
        )
        if call.operation in READS:
            answer = READS[call.operation](at)
            return Outcome(SERVER_ERROR if kind == "error_after" else answer)
        try:
            change = WRITES[call.operation](at)
        except StripeError as error:
            if not error.executed:
                raise
            change = without_effect("refused", Answer.refusing(error))
        if kind == "error_after":
            change = replace(change, answer=SERVER_ERROR)
        return self._commit(change, key, fingerprint)

    def _commit(self, change: Change, key: str | None, fingerprint: str | None) -> Outcome:
        """Make a change the present state, and a line of the record; nothing awaits in between."""
        record = self._world.record
        self._shelf.take(change)
        if key is not None or change.kind not in ("error", "refused"):
            entry = lines.entry_of(change, record.next_seq, self._world.clock.now(), key)
            record.append(entry, lines.detail_of(change, fingerprint))
        if self.tells:
            self._events += events_of(change, self._world.clock.now(), self._world.base_url)
        if change.kind in ("charge", "capture") and change.charge is not None:
            self._dispute(change.charge)
        return Outcome(change.answer, moved=change.kind in MOVED)

    def _dispute(self, charge: Charge) -> None:
        """Let the bank take a charge back at once, where the test token says so."""
        course = behaviour_of(charge.payment_method)
        if course.dispute:
            now, is_inquiry = self._world.clock.now(), course.asks_first
            made = disputes.opened(charge, course.dispute, _new_id, now, is_inquiry=is_inquiry)
            self._commit(made, None, None)

    def _target(self, call: Call, pairs: Pairs) -> Target:
        """Describe a call to the faults; its metadata is looked for only when there are some."""
        if not self._world.faults:
            return Target(self.psp, call.operation, {})
        given = dict(pairs)
        charge = self._shelf.charges.find(given.get("charge"))
        reference = call.target or given.get("payment_intent")
        if charge is not None:
            reference = charge.payment_intent
        intent = self._shelf.intents.find(reference)
        metadata = dict(intent.metadata) if intent is not None else {}
        for name, value in pairs:
            if name.startswith("metadata[") and name.endswith("]"):
                metadata[name[9:-1]] = value
        return Target(self.psp, call.operation, metadata)

    def _reply(self, call: Call, outcome: Outcome, fault: Fault | None) -> Reply:
        kind = fault.kind if fault is not None else None
        if fault is not None and kind == "charge_then_timeout":
            return Reply(ending=Ending.HOLD, hold_s=fault.hold_s)
        if kind == "connection_reset_after":
            return Reply(ending=Ending.RESET)
        if fault is not None and kind == "charge_then_refuse":
            return _rate_limited(fault) if fault.status == 429 else _declined()
        off_by = fault.off_by if fault is not None and kind == "wrong_amount" else 0
        body = bodies.encode(outcome.answer, self._world.base_url, off_by)
        if kind == "malformed":
            body = body[: len(body) // 2]
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        if outcome.replayed:
            headers["Idempotent-Replayed"] = "true"
        return Reply(outcome.answer.status, body, headers)


def _new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _rate_limited(fault: Fault) -> Reply:
    headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    return Reply(429, bodies.encode(_TOO_MANY, ""), headers)


def _declined() -> Reply:
    return Reply(402, bodies.encode(Answer(402, error=_DECLINED), ""), {})


def _answer_kinds(outcome: Outcome) -> frozenset[str]:
    """Tell which faults of the answer would really take effect on this one."""
    kinds = {"connection_reset_after"}
    if outcome.moved:
        kinds |= {"charge_then_timeout", "charge_then_refuse"}
    if outcome.answer.status == 200:
        kinds.add("malformed")
        if not isinstance(outcome.answer.subject, Page):
            kinds.add("wrong_amount")
    return frozenset(kinds)
