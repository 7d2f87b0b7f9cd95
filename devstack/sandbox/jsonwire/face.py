"""What happens to a call at a JSON face, in order.

Dark → credentials → rate limit → idempotency → faults → effect → record → disk → answer.
"""

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from devstack.sandbox.delivery import Ending, Reply
from devstack.sandbox.entry import Entry
from devstack.sandbox.faults import Fault, Stage, Target
from devstack.sandbox.jsonwire import lines
from devstack.sandbox.jsonwire.keys import InProgress, KeyCache
from devstack.sandbox.jsonwire.messages import (
    MOVING,
    Answer,
    Call,
    Change,
    Event,
    Json,
    Refused,
    Thing,
)
from devstack.sandbox.jsonwire.shelf import Shelf
from devstack.sandbox.world import World

_DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and how it came about.

    Args:
        moved: whether money, or a hold on it, moved just now.
        replayed: whether it was given under this key before.
    """

    answer: Answer
    moved: bool = False
    replayed: bool = False


class JsonFace(ABC):
    """A PSP that speaks JSON, as its callers see it; a subclass says what is its own."""

    psp: str
    operations: frozenset[str]
    things: Mapping[str, type]
    keeps_server_errors: bool
    # Operations that faults know by another one's name.
    aliases: Mapping[str, str] = MappingProxyType({})

    def __init__(self, world: World) -> None:
        self.world = world
        self.shelf = Shelf()
        self._keys = KeyCache()
        self._events: list[Event] = []

    @abstractmethod
    def authorize(self, call: Call) -> None:
        """Let in who shows credentials. Raises: Refused."""

    @abstractmethod
    def operate(self, call: Call, given: Json, now: float) -> Change | Answer:
        """Carry a call out: a change, or the answer of a read. Raises: Refused."""

    @abstractmethod
    def settle(self, thing: Thing, now: float) -> Change:
        """Decide an object whose time has come; its `settles_at` must move on."""

    @abstractmethod
    def metadata_of(self, call: Call, given: Json) -> Mapping[str, str]:
        """Find the caller's own ids of a call, for the faults."""

    @abstractmethod
    def scope_of(self, call: Call) -> str | None:
        """Tell what an answer is kept under; None for nothing. Raises: Refused."""

    @abstractmethod
    def lifetime_of(self, call: Call) -> float:
        """Tell for how long an answer is kept, in seconds."""

    @abstractmethod
    def finish(self, call: Call, outcome: Outcome) -> Answer:
        """Put on an answer what every answer has; show a replay as the PSP does."""

    @abstractmethod
    def server_error(self, *, kept: bool) -> Answer:
        """Make the 500 of a fault: final under its key, or not."""

    @abstractmethod
    def rate_limited(self) -> Answer:
        """Make the 429 of a fault."""

    @abstractmethod
    def malformed_body(self) -> Answer:
        """Make the answer to a body that is no JSON object."""

    @abstractmethod
    def in_progress(self) -> Answer:
        """Make the answer to a second call while the first one with its key runs."""

    @abstractmethod
    def falsify(self, node: Json, off_by: int) -> None:
        """Put an amount off, in place, when `node` is one."""

    async def handle(self, call: Call) -> Reply:
        """Answer a call, or fail to in the way a fault asks for."""
        if self.world.dark:
            return Reply(ending=Ending.HANG_UP)
        target = Target(self.psp, self.aliases.get(call.operation, call.operation), {})
        try:
            self.authorize(call)
            given = self._read(call)
            if self.world.faults:
                target = replace(target, metadata=self.metadata_of(call, given))
            limit = self.world.faults.strike(Stage.FRONT, target)
            if limit is not None:
                return await self._limited(limit, call, target)
            self.settle_due()
            outcome = await self._outcome(call, given, target)
        except Refused as refused:
            await self.world.record.durable()
            return _reply(self.finish(call, Outcome(refused.answer)))
        await self.world.record.durable()
        answer = self.finish(call, outcome)
        if not self.world.faults:
            return _reply(answer)
        target = replace(target, kinds=self._answer_kinds(answer, moved=outcome.moved))
        return self._damaged(answer, self.world.faults.strike(Stage.ANSWER, target))

    def restore(self, entry: Entry, detail: Mapping[str, Any]) -> None:
        """Take up a line of the record."""
        for thing in lines.things_of(detail, self.things):
            self.shelf.put(thing)
        kept = lines.kept_of(detail)
        if kept is not None:
            self._keys.keep(*kept)
        if entry.kind == _DRAINED:
            self._events.clear()
        self._events += lines.events_of(detail, self.psp, entry.at)

    def settle_due(self) -> None:
        """Decide the objects whose time has come."""
        now = self.world.clock.now()
        while (due := self.shelf.pop_due(now)) is not None:
            self.commit(self.settle(due, now))

    def drain_events(self) -> list[Event]:
        """Take the webhooks that have come about since the last time, oldest first.

        That they were taken is in the record: after a restart they do not come again.
        """
        self.settle_due()
        drained, self._events = self._events, []
        if drained:
            self.commit(Change(_DRAINED))
        return drained

    def state(self) -> Mapping[str, Any]:
        """Count the objects, the keys and the webhooks that nobody has taken yet."""
        counts: dict[str, Any] = dict(self.shelf.counts())
        return {**counts, "idempotency_keys": len(self._keys), "events": len(self._events)}

    def dispute(self, reference: str, reason: str, step: str) -> str:
        """See `world.Face.dispute`."""
        raise ValueError(f"psp: the sandbox has no disputes of {self.psp}")

    def commit(self, change: Change, scope: str | None = None, call: Call | None = None) -> Outcome:
        """Make a change the present state, and a line of the record; nothing awaits in between."""
        record, now = self.world.record, self.world.clock.now()
        for thing in change.things:
            self.shelf.put(thing)
        key = call.key if call is not None else None
        until = now + self.lifetime_of(call) if call is not None else now
        detail = lines.detail_of(change, scope, until)
        record.append(lines.entry_of(change, self.psp, record.next_seq, now, key), detail)
        self._events += lines.events_of({"events": change.events}, self.psp, now)
        return Outcome(change.answer or Answer(200), moved=change.kind in MOVING)

    def _read(self, call: Call) -> Json:
        if not call.body:
            return {}
        try:
            given = json.loads(call.body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise Refused(self.malformed_body())
        return given

    async def _outcome(self, call: Call, given: Json, target: Target) -> Outcome:
        scope = self.scope_of(call)
        if scope is None:
            return await self._execute(call, given, target, None)
        try:
            kept = self._keys.begin(scope, self.world.clock.now())
        except InProgress:
            raise Refused(self.in_progress()) from None
        if kept is not None:
            return Outcome(kept, replayed=True)
        try:
            return await self._execute(call, given, target, scope)
        finally:
            self._keys.give_up(scope)

    async def _execute(self, call: Call, given: Json, target: Target, scope: str | None) -> Outcome:
        fault = self.world.faults.strike(Stage.EXECUTE, target)
        kind = fault.kind if fault is not None else None
        if fault is not None and kind == "slow":
            await self.world.pause(fault.delay_ms / 1000)
        if fault is not None and kind == "error_before":
            kept = fault.cached and self.keeps_server_errors and scope is not None
            failed = Change("error", answer=self.server_error(kept=kept))
            return await self._kept(failed, call, scope) if kept else Outcome(_answer(failed))
        done = self.operate(call, given, self.world.clock.now())
        if isinstance(done, Answer):
            return Outcome(self.server_error(kept=False) if kind == "error_after" else done)
        failed = replace(done, answer=self.server_error(kept=True))
        if kind == "error_after" and self.keeps_server_errors:
            done = failed
        outcome = await self._kept(done, call, scope)
        return replace(outcome, answer=_answer(failed)) if kind == "error_after" else outcome

    async def _kept(self, change: Change, call: Call, scope: str | None) -> Outcome:
        """Commit; until it is on disk the call is under way, and a second one is told so."""
        outcome = self.commit(change, scope, call)
        await self.world.record.durable()
        if scope is not None and change.is_kept:
            self._keys.keep(scope, outcome.answer, self.world.clock.now() + self.lifetime_of(call))
        return outcome

    async def _limited(self, fault: Fault, call: Call, target: Target) -> Reply:
        if call.key is not None:
            self.commit(Change("limited", metadata=target.metadata), call=call)
            await self.world.record.durable()
        reply = _reply(self.finish(call, Outcome(self.rate_limited())))
        if fault.retry_after_s is None:
            return reply
        return replace(reply, headers={**reply.headers, "Retry-After": str(fault.retry_after_s)})

    def _damaged(self, answer: Answer, fault: Fault | None) -> Reply:
        if fault is None:
            return _reply(answer)
        if fault.kind == "charge_then_timeout":
            return Reply(ending=Ending.HOLD, hold_s=fault.hold_s)
        if fault.kind == "connection_reset_after":
            return Reply(ending=Ending.RESET)
        if fault.kind == "wrong_amount":
            return _reply(replace(answer, body=self._falsified(answer.body, fault.off_by)))
        reply = _reply(answer)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

    def _answer_kinds(self, answer: Answer, *, moved: bool) -> frozenset[str]:
        """Tell which faults of the answer would really take effect on this one."""
        kinds = {"connection_reset_after"}
        if moved:
            kinds.add("charge_then_timeout")
        if answer.status < 300 and answer.body:
            kinds.add("malformed")
            if self._falsified(answer.body, 1) != answer.body:
                kinds.add("wrong_amount")
        return frozenset(kinds)

    def _falsified(self, body: Json | None, off_by: int) -> Json:
        lie: Json = copy.deepcopy(body or {})
        _walk(lie, lambda node: self.falsify(node, off_by))
        return lie


def _reply(answer: Answer) -> Reply:
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    return Reply(answer.status, body, answer.headers)


def _answer(change: Change) -> Answer:
    return change.answer or Answer(200)


def _walk(node: object, visit: Callable[[Json], None]) -> None:
    if isinstance(node, dict):
        visit(node)
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        _walk(child, visit)
