"""Planted mistakes in payment_svc: its sagas, its store, what its operators decide."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import SecondPersonNeeded
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.operations.ports import Concluded
from payment_svc.operations.wiring import Operations
from payment_svc.ports import Acceptance, Accepted, NewPayment
from payment_svc.sagas.commands import CaptureCharge, Command, ExecuteCharge, PostKeptCharge
from payment_svc.sagas.journey import Journey, Move, Progress, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Waiting
from tests.simulation.around import Around
from tests.simulation.outbox import OutboxTable
from tests.simulation.payment_place import PaymentPlace
from tests.simulation.payments import OutboxRow
from tests.simulation.resolutions import ResolutionPlace

_CLAIMS_BEFORE_POISON = 8


class UnknownIsNo(Around):
    """What is not known is taken for a no, of one kind of command."""

    kind: type[Command] = ExecuteCharge

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and mistake."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(command, self.kind) and isinstance(outcome, Waiting) and outcome.unknown:
            return Refused("CARD_DECLINED", "It did not answer.")
        return outcome


class UnknownCaptureIsNo(UnknownIsNo):
    """A capture that may have happened is compensated."""

    kind = CaptureCharge


class UnknownIsDone(Around):
    """A charge that is not known is taken for done."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and hope."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(command, ExecuteCharge) and isinstance(outcome, Waiting) and outcome.unknown:
            return Done({"psp": "stripe", "psp_reference": "pi_hoped"})
        return outcome


class DoubtIsForgotten(Around):
    """A charge that is not known is called under way at each second look."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._looks = count()

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and forget."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(command, ExecuteCharge) and isinstance(outcome, Waiting) and outcome.unknown:
            return Waiting("PSP_PENDING") if next(self._looks) % 2 else outcome
        return outcome


class PendingIsTheirWord(Around):
    """What is only under way is taken for the PSP's word that it takes its time."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and be patient."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(outcome, Waiting) and outcome.unheard:
            return replace(outcome, unheard=False, after=None)
        return outcome


class GivesUpAlone(Around):
    """A saga takes the PSP's "not now" for a no, and ends nothing where the charge is made."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and give up."""
        if not isinstance(command, ExecuteCharge) or not command.is_last_try:
            done: Outcome = await self.inner.perform(command)
            return done
        outcome: Outcome = await self.inner.perform(replace(command, is_last_try=False))
        if isinstance(outcome, Again) and outcome.from_psp:
            return Refused(outcome.reason, "We give up.")
        return outcome


class BooksNothingKept(Around):
    """What two persons leave with a PSP is booked nowhere."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, all but that."""
        if isinstance(command, PostKeptCharge):
            return Done()
        outcome: Outcome = await self.inner.perform(command)
        return outcome


class Unfenced(PaymentPlace):
    """Whoever has walked a saga writes, whoever holds it by now."""

    async def record(self, move: Move) -> Journey:
        """Write over whatever is there."""
        payments = self.payments

        def work() -> None:
            after = move.after.progress
            row = payments.sagas[after.saga_id]
            own = replace(after, epoch=row.progress.epoch)
            payment = move.before.payment
            fresh = replace(payment, revision=payments.rows[payment.payment_id].revision)
            unfenced = replace(
                move,
                before=move.before.with_payment(fresh),
                after=move.after.with_progress(epoch=own.epoch),
            )
            payments.record(unfenced, self.owner, self.lease, self.new_id)

        await payments.disk.run(work)
        now = payments.rows[move.after.payment.payment_id]
        return move.after.with_payment(now)


class NoSweeper(PaymentPlace):
    """What a killed process held is never taken up again."""

    async def claim(self, limit: int) -> Sequence[Journey]:
        """Claim what nobody has claimed before."""
        held = [row for row in self.payments.sagas.values() if row.owner is not None]
        for row in held:
            row.due_at = None
        return await super().claim(limit)

    async def release_own(self) -> int:
        """Release nothing."""
        return 0


class DropsDeadLetters(PaymentPlace):
    """What went wrong for good is marked as done."""

    async def record(self, move: Move) -> Journey:
        """Write the move, and forget what it is about."""
        if move.after.progress.queue is Queue.DEAD_LETTER:
            move = replace(move, after=move.after.with_progress(queue=Queue.DONE, reason=""))
        return await super().record(move)


class MovesBackwards(PaymentPlace):
    """News of a payment puts it back to being worked on."""

    async def wake(self, payment_ids: Sequence[str]) -> int:
        """Hear of news."""
        for payment_id in payment_ids:
            before = self.payments.rows[payment_id]
            back = PaymentStatus.PROCESSING
            if before.status is not back:
                after = replace(before, status=back, version=before.version + 1, trail=(back,))
                self.payments.write(before, after)
        return await super().wake(payment_ids)


class KeyAfterwards(PaymentPlace):
    """The key is looked for first, and kept after the payment."""

    async def accept(self, new: NewPayment) -> Acceptance:
        """Accept in three transactions."""
        payments = self.payments
        known = await payments.disk.run(lambda: payments.replay(new.asked))
        if known is not None:
            return known
        await payments.disk.run(lambda: payments.insert(new))
        payment_id = new.payment.payment_id
        await payments.disk.run(lambda: payments.keep_record(new.asked, payment_id, new.answer))
        return Accepted(payment_id, new.answer, replayed=False)


class BlocksItsBatch(PaymentPlace):
    """A saga that cannot be taken up fails the claim of all that are due with it."""

    async def claim(self, limit: int) -> Sequence[Journey]:
        """Claim all or nothing."""
        payments = self.payments

        def work() -> Sequence[Journey]:
            for row in payments.due()[:limit]:
                payments.poison.meet("start", row.progress.payment_id)
            return payments.claim(self.owner, self.lease, limit)

        return await payments.disk.run(work)


class PutsPoisonOff(PaymentPlace):
    """Poison is left for later again and again, and nobody is told of it."""

    async def claim(self, limit: int) -> Sequence[Journey]:
        """Claim all but what was claimed in vain so often, which begins anew by and by."""
        payments = self.payments
        for row in payments.due():
            if row.unmoved >= _CLAIMS_BEFORE_POISON:
                row.unmoved = 0
                payments.set_due(row, payments.now() + timedelta(hours=12))
        return await super().claim(limit)


class DeafToLateCharges(PaymentPlace):
    """What is charged after it was given up is nobody's."""

    async def begin_once(self, saga: Progress) -> bool:
        """Begin nothing."""
        return False


class OneSuffices(ResolutionPlace):
    """Who has proposed may approve."""

    async def decide(
        self,
        resolution_id: str,
        decide: Callable[[Resolution], tuple[Resolution, OperatorAction | None]],
    ) -> Resolution | None:
        """Let anybody decide, under another's name."""

        def alone(before: Resolution) -> tuple[Resolution, OperatorAction | None]:
            try:
                return decide(before)
            except SecondPersonNeeded:
                proposer = Actor("somebody")
                after, action = decide(replace(before, proposed_by=proposer))
                return replace(after, proposed_by=proposer), action

        return await super().decide(resolution_id, alone)


class AppliesAgain(ResolutionPlace):
    """A resolution is applied by each who finds it approved, whatever became of it meanwhile."""

    async def conclude(
        self, resolution_id: str, decide: Callable[[Resolution, Journey], Concluded]
    ) -> Resolution | None:
        """Conclude what may be concluded already."""

        def again(before: Resolution, journey: Journey) -> Concluded:
            return decide(replace(before, status=ResolutionStatus.APPROVED), journey)

        return await super().conclude(resolution_id, again)


class ForgetsApproved(Operations):
    """What was approved is applied by who approves, or by nobody."""

    async def apply_approved(self) -> bool:
        """Look for nothing."""
        return False


class PagesByLast(OutboxTable):
    """The outbox is read from the last id on that was seen."""

    last = 0

    def page(self) -> list[OutboxRow]:
        """Find what is above the last."""
        found = [row for row in super().page() if row.event_id > self.last]
        self.last = max([self.last, *(row.event_id for row in found)])
        return found
