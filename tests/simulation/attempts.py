"""psp_gateway's database in memory: attempts, as its SQL keeps them, and the inbox of webhooks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from chassis.changed import changed
from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.holds import Holds
from psp_gateway.domain.inbox import Raw, State, Told
from psp_gateway.domain.psp_event import PspEvent
from psp_gateway.domain.refunds import Refunds
from psp_gateway.ports import Exchange, Saved, TakenUp
from tests.simulation.chance import Chance
from tests.simulation.clockwork import EPOCH, SimulatedLoop
from tests.simulation.disk import Disk
from tests.unit.psp_gateway.fakes import expresses_all

_LEASE = timedelta(seconds=30)
_POLL_S = 2.0
_ON_PAGE = (Stage.OPEN, Stage.PAGE)
_holds = partial(Holds, takes_parts=lambda _: True)  # as at Stripe


@dataclass(slots=True)
class Attempts:
    """`ports.AttemptWriter`, `AttemptReader`, `AttemptFinder` and `Inbox`.

    Attributes:
        created: when a PSP said that what it was asked for is there, and not confirmed yet: the
            payment, and the loop's time.
        bells: rung when something in the inbox is due, by the process's name.
    """

    loop: SimulatedLoop
    chance: Chance
    disk: Disk
    rows: dict[str, Attempt] = field(default_factory=dict)
    created: list[tuple[str, float]] = field(default_factory=list)
    inbox: dict[int, Told] = field(default_factory=dict)
    bells: dict[str, Callable[[], None]] = field(default_factory=dict)
    _event_ids: set[tuple[str, str]] = field(default_factory=set)

    async def take_up_charge(self, asked: Attempt) -> TakenUp:
        """See `ports.AttemptWriter`."""

        def work() -> TakenUp:
            is_new = asked.attempt_id not in self.rows
            return TakenUp(self.rows.setdefault(asked.attempt_id, asked), is_new)

        return await self.disk.run(work)

    async def take_up_hold(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter`."""
        return await self.disk.run(lambda: self.guarded(_holds, asked))

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter`."""
        return await self.disk.run(lambda: self.guarded(Refunds, asked))

    def guarded(
        self, guard_of: Callable[..., Refunds | Holds], asked: Attempt
    ) -> TakenUp | Refusal:
        """Take up what its guard lets through."""
        known = self.rows.values()
        about = [one for one in known if one.charge_attempt_id == asked.charge_attempt_id]
        answer = guard_of(known, about, known, expresses_all).take_up(asked)
        if isinstance(answer, Refusal):
            return answer
        self.rows[asked.attempt_id] = answer[0]
        return TakenUp(answer[0], is_new=answer[1])

    async def save(self, attempt: Attempt, exchange: Exchange) -> Saved:
        """See `ports.AttemptWriter`."""
        return await self.disk.run(lambda: self.saved(attempt, exchange))

    def saved(self, new: Attempt, exchange: Exchange) -> Saved:
        """Store an attempt as `statements.SAVE` does."""
        there = self.rows[new.attempt_id]
        if there.outcome.is_final or not self.may_write(there, new):
            return Saved(there, is_held=False)
        self.rows[new.attempt_id] = written = changed(new, version=there.version + 1)
        if exchange.answer == "CREATED":
            self.created.append((new.payment_id, self.loop.time()))
        self.chance.note(
            f"{new.attempt_id} {new.kind} {exchange.operation} {exchange.answer}"
            f" -> {new.stage} {new.outcome} {new.reason}"
        )
        return Saved(written, is_held=True)

    def may_write(self, there: Attempt, new: Attempt) -> bool:
        """Whether this writer may write over what is there."""
        is_same = there.psp_reference in ("", new.psp_reference) or there.stage in _ON_PAGE
        is_success = new.outcome is Outcome.SUCCEEDED and there.psp == new.psp and is_same
        return there.version == new.version or is_success

    async def of_payment(self, payment_id: str) -> Sequence[Attempt]:
        """See `ports.AttemptReader`."""
        return await self.disk.run(
            lambda: [one for one in self.rows.values() if one.payment_id == payment_id]
        )

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Attempt]:
        """See `ports.AttemptReader`."""
        return await self.disk.run(
            lambda: [self.rows[one] for one in attempt_ids if one in self.rows]
        )

    async def concerned(self, events: Sequence[PspEvent]) -> Sequence[Sequence[Attempt]]:
        """See `ports.AttemptFinder`."""
        return await self.disk.run(lambda: [self._concerned(event) for event in events])

    def _concerned(self, event: PspEvent) -> list[Attempt]:
        references = {event.reference, event.charge_reference} - {""}
        named = {
            one.attempt_id
            for one in self.rows.values()
            if one.psp == event.psp
            and (one.attempt_id == event.attempt_id or one.psp_reference in references)
        }
        return [
            one
            for one in self.rows.values()
            if one.attempt_id in named or one.charge_attempt_id in named
        ]

    async def put(self, raw: Raw, events: Sequence[PspEvent]) -> int:
        """See `ports.Inbox`."""

        def work() -> int:
            new = [e for e in events if (e.psp, e.event_id) not in self._event_ids]
            for event in new:
                self._event_ids.add((event.psp, event.event_id))
                number, now = len(self.inbox) + 1, self.loop.now()
                self._keep(Told(number, event, now, due_at=now))
            return len(new)

        return await self.disk.run(work)

    async def claim(self, limit: int) -> Sequence[Told]:
        """See `ports.Inbox`."""

        def work() -> list[Told]:
            now = self.loop.now()
            due = [one for one in self.inbox.values() if one.due_at and one.due_at <= now]
            for one in due[:limit]:
                self._keep(replace(one, due_at=now + _LEASE))
            return due[:limit]

        return await self.disk.run(work)

    async def settle(self, told: Sequence[Told]) -> None:
        """See `ports.Inbox`."""

        def work() -> None:
            for one in told:
                self._keep(one)

        await self.disk.run(work)

    async def events(
        self, *, psp: str, state: State | None, before: int, limit: int, payment_id: str = ""
    ) -> Sequence[Told]:
        """See `ports.Inbox`."""
        raise NotImplementedError

    def _keep(self, told: Told) -> None:
        self.inbox[told.number] = told
        if told.due_at is not None:
            due_s = (told.due_at - EPOCH).total_seconds()
            self.loop.at(max(due_s, self.loop.time()) + 0.001, self._ring_for, told)

    def _ring_for(self, told: Told) -> None:
        """Wake a worker, and one after the other until somebody takes the event."""
        if self.inbox[told.number] is told and self.bells:
            self.chance.one_of(list(self.bells.values()))()
            self.loop.later(_POLL_S, self._ring_for, told)
