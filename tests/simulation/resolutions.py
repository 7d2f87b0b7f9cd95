"""What operators do about sagas, in payment_svc's database in memory, as its SQL keeps it."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.errors import Aborted
from payment_svc.domain.errors import ResolutionPending
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.payment import NewId
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.operations.ports import Concluded, LetOn
from payment_svc.ports import LostLease, SagaView, StalePayment
from payment_svc.sagas.journey import Journey
from tests.simulation.payments import Payments

_OPEN = (ResolutionStatus.PROPOSED, ResolutionStatus.APPROVED)
_POLL_S, _POLL_S_MAX = 1.0, 300.0

Propose = Callable[[Journey], tuple[Resolution, OperatorAction]]
Decide = Callable[[Resolution], tuple[Resolution, OperatorAction | None]]
Conclude = Callable[[Resolution, Journey], Concluded]


@dataclass(slots=True)
class Resolutions:
    """All that is on the disk.

    Attributes:
        trail: what operators did, in order; nothing is ever taken out.
        bells: rung while something is approved and not applied, by the process's name.
    """

    payments: Payments
    rows: dict[str, Resolution] = field(default_factory=dict)
    trail: list[OperatorAction] = field(default_factory=list)
    bells: dict[str, Callable[[], None]] = field(default_factory=dict)

    def journey(self, saga_id: str) -> Journey | None:
        """Read a saga with its payment."""
        row = self.payments.sagas.get(saga_id)
        if row is None:
            return None
        return Journey(row.progress, self.payments.rows[row.progress.payment_id])

    def view(self, saga_id: str) -> tuple[SagaView, Journey] | None:
        """Read a saga as an operator sees it."""
        journey = self.journey(saga_id)
        if journey is None:
            return None
        return SagaView(journey.progress, self.payments.sagas[saga_id].due_at), journey

    def let_on(self, saga_id: str, decide: Callable[[Journey], LetOn]) -> SagaView | None:
        """Let a saga go on."""
        journey = self.journey(saga_id)
        if journey is None:
            return None
        self.write_let_on(decide(journey))
        found = self.view(saga_id)
        return found[0] if found else None

    def write_let_on(self, let: LetOn) -> None:
        """Write a saga that is let go on, its journal and the trail."""
        progress = let.progress
        row = self.payments.sagas[progress.saga_id]
        row.progress, row.owner, row.unmoved, row.last_error = progress, None, 0, ""
        self.payments.journal.setdefault(progress.saga_id, []).append(let.entry)
        self.payments.set_due(row, self.payments.now() + progress.due_after)
        self.trail.append(let.action)
        self.payments.chance.note(f"{progress.saga_id} is let on by {let.action.actor}")

    def propose(self, saga_id: str, decide: Propose) -> Resolution | None:
        """Store a proposal.

        Raises:
            ResolutionPending: another is open.
        """
        journey = self.journey(saga_id)
        if journey is None:
            return None
        proposal, action = decide(journey)
        for one in self.rows.values():
            if one.saga_id == saga_id and one.seen(proposal.proposed_at).status in _OPEN:
                raise ResolutionPending(saga_id, one.resolution_id)
        self._write(proposal, action)
        return proposal

    def decide(self, resolution_id: str, decide: Decide) -> Resolution | None:
        """Change a resolution."""
        before = self.rows.get(resolution_id)
        if before is None:
            return None
        after, action = decide(before)
        if action is not None:
            self._write(after, action)
        return after

    def conclude(
        self, resolution_id: str, decide: Conclude, lease: timedelta, new_id: NewId
    ) -> Resolution | None:
        """Change a resolution and its saga together.

        Raises:
            Aborted: the payment was changed meanwhile.
        """
        before = self.rows.get(resolution_id)
        journey = self.journey(before.saga_id) if before else None
        if before is None or journey is None:
            return None
        concluded = decide(before, journey)
        if concluded.action is None:
            return concluded.resolution
        if concluded.let_on is not None:
            self.write_let_on(replace(concluded.let_on, action=concluded.action))
            self.rows[resolution_id] = concluded.resolution
            return concluded.resolution
        if concluded.move is not None:
            try:
                self.payments.record(concluded.move, "", lease, new_id)
            except (LostLease, StalePayment) as error:
                raise Aborted("The payment was changed meanwhile; try again.") from error
            row = self.payments.sagas[before.saga_id]
            row.progress = replace(row.progress, epoch=row.progress.epoch + 1)
        self._write(concluded.resolution, concluded.action)
        return concluded.resolution

    def approved(self, limit: int, after: Resolution | None = None) -> Sequence[Resolution]:
        """List those that are approved and not applied."""
        found = [one for one in self.rows.values() if one.status is ResolutionStatus.APPROVED]
        found.sort(key=_place)
        first = 0 if after is None else bisect_right(found, _place(after), key=_place)
        return found[first : first + limit]

    def _write(self, resolution: Resolution, action: OperatorAction) -> None:
        self.rows[resolution.resolution_id] = resolution
        self.trail.append(action)
        self.payments.chance.note(
            f"{resolution.resolution_id} {resolution.decision} of {resolution.attempt_id}"
            f" is {resolution.status} by {action.actor} {resolution.note}"
        )
        if resolution.status is ResolutionStatus.APPROVED:
            self.payments.loop.later(_POLL_S, self._ring_for, resolution.resolution_id, _POLL_S)

    def _ring_for(self, resolution_id: str, pause_s: float) -> None:
        """Wake who applies, and one after the other until somebody has applied it."""
        if self.rows[resolution_id].status is ResolutionStatus.APPROVED and self.bells:
            self.payments.chance.one_of(list(self.bells.values()))()
            longer_s = min(2 * pause_s, _POLL_S_MAX)
            self.payments.loop.later(pause_s, self._ring_for, resolution_id, longer_s)


class OperatorPlace:
    """What of `operations.ports.OperatorStore` letting one saga go on takes."""

    def __init__(self, table: Resolutions) -> None:
        self.table = table

    async def find(self, saga_id: str) -> tuple[SagaView, Journey] | None:
        """See `ports.OperatorStore`."""
        return await self.table.payments.disk.run(lambda: self.table.view(saga_id))

    async def let_on(self, saga_id: str, decide: Callable[[Journey], LetOn]) -> SagaView | None:
        """See `ports.OperatorStore`."""
        return await self.table.payments.disk.run(lambda: self.table.let_on(saga_id, decide))


class ResolutionPlace:
    """`operations.ports.ResolutionStore` of one process, apart from its lists."""

    def __init__(self, table: Resolutions, *, lease: timedelta, new_id: NewId) -> None:
        self.table = table
        self.lease = lease
        self.new_id = new_id

    async def propose(self, saga_id: str, decide: Propose) -> Resolution | None:
        """See `ports.ResolutionStore`."""
        return await self.table.payments.disk.run(lambda: self.table.propose(saga_id, decide))

    async def decide(self, resolution_id: str, decide: Decide) -> Resolution | None:
        """See `ports.ResolutionStore`."""
        return await self.table.payments.disk.run(lambda: self.table.decide(resolution_id, decide))

    async def conclude(self, resolution_id: str, decide: Conclude) -> Resolution | None:
        """See `ports.ResolutionStore`."""
        return await self.table.payments.disk.run(
            lambda: self.table.conclude(resolution_id, decide, self.lease, self.new_id)
        )

    async def approved(self, limit: int, after: Resolution | None = None) -> Sequence[Resolution]:
        """See `ports.ResolutionStore`."""
        return await self.table.payments.disk.run(lambda: self.table.approved(limit, after))


def _place(approved: Resolution) -> tuple[datetime, str]:
    """Tell where an approved resolution stands among the others."""
    assert approved.decided_at is not None
    return approved.decided_at, approved.resolution_id
