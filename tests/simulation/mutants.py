"""Planted mistakes: each exchanges one part of the honest product, and must be found by a check.

They are the mistakes that payment systems are known for. Every bug that the simulation ever found
in the product is one more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any, cast

from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1.attempt_resolution_service_pb2 import ResolveAttemptsResponse
from paymesh.psp.v1.psp_gateway_service_pb2 import AttemptResult

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import SecondPersonNeeded
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.operations.ports import Concluded
from payment_svc.operations.wiring import Operations
from payment_svc.ports import Acceptance, Accepted, NewPayment, Services
from payment_svc.sagas.commands import CaptureCharge, Command, ExecuteCharge
from payment_svc.sagas.journey import Journey, Move, Progress, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Waiting
from psp_gateway.domain.attempt import Attempt
from psp_gateway.domain.attempt import Outcome as AttemptOutcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.refunds import Refunds
from psp_gateway.http_client import NoAnswer
from psp_gateway.ports import Exchange, Provider, Saved, TakenUp
from psp_gateway.providers.stripe.client import Response, Result
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from tests.simulation.around import Around
from tests.simulation.attempts import Attempts
from tests.simulation.books import Ledger, WalletBook, at_once
from tests.simulation.doubt import DoubtIsForgotten, PendingIsTheirWord
from tests.simulation.nemesis import LONG_EVERY, TREACHEROUS
from tests.simulation.outbox import OutboxTable
from tests.simulation.payments import OutboxRow, PaymentPlace
from tests.simulation.programs import Parts
from tests.simulation.resolutions import ResolutionPlace
from tests.unit.wallet_svc.memory_store import MemoryStore
from wallet_svc.domain.operation import Command as WalletCommand
from wallet_svc.domain.operation import Reversal
from wallet_svc.domain.wallets import ReversalOutcome

_CLAIMS_BEFORE_POISON = 8


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake.

    Attributes:
        says: what is wrong.
        plant: puts it in the place of an honest part.
        found_by: the checks that are meant to find it; another does not count.
        needs_hours: whether it shows only where a PSP is away for longer than it keeps keys.
    """

    name: str
    says: str
    plant: Callable[[Parts], Parts]
    found_by: frozenset[str]
    needs_hours: bool = False


class NewKeys(Around):
    """Each request has a key of its own."""

    serial = count()

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Send under a new key."""
        result: Result = await self.inner.post(path, fields, key=f"{key}-{next(self.serial)}")
        return result


class Forgetful(Around):
    """A PSP that cannot be asked, and whose keys are thought to be kept for ever."""

    @property
    def capabilities(self) -> Any:
        """Say so."""
        told = self.inner.capabilities
        kept = dict.fromkeys(told.key_retention, timedelta(days=3650))
        return replace(told, can_look_up=False, key_retention=kept)


class NeverLooks(Around):
    """A PSP that is never asked, though it could be: the same is sent again under the same key."""

    @property
    def capabilities(self) -> Any:
        """Say so."""
        return replace(self.inner.capabilities, can_look_up=False)


class LimitIsDecline(Around):
    """A 429 is taken for a decline."""

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and mistake."""
        result: Result = await self.inner.post(path, fields, key=key)
        if not isinstance(result, Response) or result.status != 429:
            return result
        error = {"type": "card_error", "code": "card_declined"}
        return replace(result, status=402, body={"error": error})


class SilenceIsNo(Around):
    """No answer is taken for: nothing was sent, and nothing happened."""

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and mistake."""
        result: Result = await self.inner.post(path, fields, key=key)
        if not isinstance(result, NoAnswer):
            return result
        return Response(400, {"error": {"type": "invalid_request_error"}}, "", False, None)


class AmountUnread(Around):
    """The amount of an answer is taken to be what was asked for."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._asked: dict[str, object] = {}

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and read over it."""
        result = self._unread(await self.inner.post(path, fields, key=key))
        body = result.body if isinstance(result, Response) else None
        if path == "/payment_intents" and body and "id" in body:
            self._asked[body["id"]] = body["amount"]
        return result

    async def get(self, path: str, fields: Mapping[str, object] | None = None) -> Result:
        """Look up, and read over it."""
        return self._unread(await self.inner.get(path, fields))

    def _unread(self, result: Result) -> Result:
        body = result.body if isinstance(result, Response) else None
        if not isinstance(result, Response) or not body or body.get("id") not in self._asked:
            return result
        names = {"amount", "amount_capturable"} & set(body)
        if not body.get("is_held"):
            names |= {"amount_received"} & set(body)
        asked = self._asked[body["id"]]
        return replace(result, body={**body, **dict.fromkeys(names, asked)})


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


class UnknownIsDone(Around):
    """A charge that is not known is taken for done."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and hope."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(command, ExecuteCharge) and isinstance(outcome, Waiting) and outcome.unknown:
            return Done({"psp": "stripe", "psp_reference": "pi_hoped"})
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


class BelievesAlone(Around):
    """The gateway says yes to what persons say, and keeps nothing of it: it may still charge."""

    async def ResolveAttempts(self, request: Any, _: Any) -> Any:
        """Answer what one wants to hear."""
        said = [
            attempt_pb2.Attempt(attempt_id=one.attempt_id, outcome=one.outcome)
            for one in request.resolutions
        ]
        return ResolveAttemptsResponse(results=[AttemptResult(attempt=one) for one in said])


class BelievesPersons(Around):
    """The gateway believes persons, and does not ask the PSP once more."""

    async def ResolveAttempts(self, request: Any, context: Any) -> Any:
        """Resolve while nobody can be asked."""
        means = self.inner._means
        deaf = replace(means, providers={})
        return await AttemptResolutionServicer(deaf, self.inner._reader).ResolveAttempts(
            request, context
        )


class DropsDeadLetters(PaymentPlace):
    """What went wrong for good is marked as done."""

    async def record(self, move: Move) -> Journey:
        """Write the move, and forget what it is about."""
        if move.after.progress.queue is Queue.DEAD_LETTER:
            move = replace(move, after=move.after.with_progress(queue=Queue.DONE, reason=""))
        return await super().record(move)


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


class LateIntent(Attempts):
    """An attempt is stored when its outcome is, not before the PSP is asked."""

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """Let it through, and store nothing."""

        def work() -> TakenUp | Refusal:
            is_known = asked.attempt_id in self.rows
            answer = super(LateIntent, self).guarded(Refunds, asked)
            if not is_known:
                self.rows.pop(asked.attempt_id, None)
            return answer

        return await self.disk.run(work)

    def saved(self, new: Attempt, exchange: Exchange) -> Saved:
        """Store it now."""
        self.rows.setdefault(new.attempt_id, new)
        return super().saved(new, exchange)


class CheckThenAct(Attempts):
    """Refunds are checked in one transaction and stored in another."""

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """Check, then act."""

        def looked() -> TakenUp | Refusal:
            is_known = asked.attempt_id in self.rows
            answer = self.guarded(Refunds, asked)
            if not is_known:
                self.rows.pop(asked.attempt_id, None)
            return answer

        answer = await self.disk.run(looked)
        if isinstance(answer, TakenUp) and answer.is_new:
            await self.disk.run(lambda: self.rows.setdefault(asked.attempt_id, answer.attempt))
        return answer


class Unversioned(Attempts):
    """The last to write an attempt is right, also over what is final."""

    def saved(self, new: Attempt, exchange: Exchange) -> Saved:
        """Write over whatever is there."""
        there = self.rows[new.attempt_id]
        self.rows[new.attempt_id] = replace(there, outcome=AttemptOutcome.PENDING)
        return super().saved(new, exchange)

    def may_write(self, there: Attempt, new: Attempt) -> bool:
        """Everybody may."""
        return True


class PostsAnew(Ledger):
    """The ledger does not look whether a reference is there."""

    def known(self) -> Sequence[Any]:
        """Know what is being reversed alone: nothing that was posted."""
        reversed_ = {one.heading.reverses_reference for one in self.written}
        return [one for one in self.written if one.reference in reversed_]


class NoTombstone(WalletBook):
    """An undo that finds nothing leaves nothing: its do may still come."""

    def decided(self, commands: Sequence[WalletCommand]) -> Sequence[ReversalOutcome]:
        """Decide, and forget what was closed."""
        before = set(self.store.closed)
        outcomes: Sequence[ReversalOutcome] = at_once(self.store.do(commands))
        if any(isinstance(command, Reversal) for command in commands):
            self.store.closed &= before
        return outcomes


class PagesByLast(OutboxTable):
    """The outbox is read from the last id on that was seen."""

    last = 0

    def page(self) -> list[OutboxRow]:
        """Find what is above the last."""
        found = [row for row in super().page() if row.event_id > self.last]
        self.last = max([self.last, *(row.event_id for row in found)])
        return found


def _client(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, client=kind)


def _provider(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, provider=lambda one: cast("Provider", kind(one)))


def _services(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, services=lambda one: cast("Services", kind(one)))


def _place(kind: type[PaymentPlace]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, place=kind)


def _attempts(kind: type[Attempts]) -> Callable[[Parts], Parts]:
    def plant(parts: Parts) -> Parts:
        there = parts.attempts
        return replace(parts, attempts=kind(there.loop, there.chance, there.disk))

    return plant


def _wallets(kind: type[WalletBook]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(
        parts, wallets=kind(parts.wallets.disk, MemoryStore(parts.loop.now))
    )


def _resolutions(kind: type[ResolutionPlace]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, resolution_place=kind)


def _resolving(kind: type[Around]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, resolving=kind)


def _mutant(
    name: str, says: str, plant: Callable[[Parts], Parts], *found_by: str, needs_hours: bool = False
) -> Mutant:
    return Mutant(name, says, plant, frozenset(found_by), needs_hours)


MUTANTS: Sequence[Mutant] = (
    _mutant("new key on retry", "each request to a PSP has a new key",
            _client(NewKeys), "INV-3", "INV-9"),
    _mutant("unknown charge fails", "a charge without an answer is taken for a no",
            _services(UnknownIsNo), "INV-8", "INV-12"),
    _mutant("unknown capture compensated", "a capture without an answer is undone",
            _services(UnknownCaptureIsNo), "INV-7b", "INV-8", "INV-12"),
    _mutant("unknown charge counts", "a charge without an answer is taken for done",
            _services(UnknownIsDone), "INV-2", "INV-8"),
    _mutant("doubt is forgotten", "a charge that is not known is said to be under way",
            _services(DoubtIsForgotten), "INV-8b"),
    _mutant("pending is their word", "what is only under way is waited for ever longer",
            _services(PendingIsTheirWord), "INV-7c"),
    _mutant("silence is a no", "a request without an answer is taken for never sent",
            _client(SilenceIsNo), "INV-8", "INV-12"),
    _mutant("429 is a decline", "a request that was limited is taken for declined",
            _client(LimitIsDecline), "INV-12"),
    _mutant("amount unread", "the amount of a PSP's answer is not compared",
            _client(AmountUnread), "INV-2", "INV-8"),
    _mutant("key lifetime forgotten", "a refund is sent again under a key that is kept no longer",
            _provider(Forgetful), "INV-3", "INV-9", needs_hours=True),
    _mutant("never looks up", "the same is sent again under its key, and nobody is asked",
            _provider(NeverLooks), "INV-7b"),
    _mutant("no fencing", "whoever held a saga once may write it",
            _place(Unfenced), "INV-7", "INV-10", "INV-11", "INV-11b", "INV-14"),
    _mutant("short lease", "a lease ends while its holder waits for an answer",
            lambda parts: replace(parts, lease=timedelta(seconds=2)), "INV-11b"),
    _mutant("no sweeper", "what a killed process held is taken up by nobody",
            _place(NoSweeper), "INV-7"),
    _mutant("dead letter dropped", "what cannot go on is marked as done",
            _place(DropsDeadLetters), "INV-7"),
    _mutant("key after the effect", "a client's key is kept after its payment",
            _place(KeyAfterwards), "INV-4"),
    _mutant("news moves back", "a late webhook moves a payment back",
            _place(MovesBackwards), "INV-10", "INV-11"),
    _mutant("gives up alone", "a saga fails a charge that its own late call still makes",
            _services(GivesUpAlone), "INV-2", "INV-5", "INV-8"),
    _mutant("intent after the call", "a refund is stored after it was sent",
            _attempts(LateIntent), "INV-3", "INV-9"),
    _mutant("refund check-then-act", "two refunds are checked before either is stored",
            _attempts(CheckThenAct), "INV-9"),
    _mutant("last write wins", "an attempt is written by whoever comes last",
            _attempts(Unversioned), "INV-2b", "INV-7b", "INV-8", "INV-10"),
    _mutant("posting not unique", "the ledger posts a reference again",
            lambda parts: replace(parts, ledger=PostsAnew(parts.loop, parts.ledger.disk)),
            "INV-2", "INV-6", "INV-13"),
    _mutant("no tombstone", "an undo overtakes its do, which then comes",
            _wallets(NoTombstone), "INV-5", "INV-6"),
    _mutant("outbox by last id", "the outbox is paged by id > last",
            lambda parts: replace(parts, table=PagesByLast(parts.payments)), "INV-14"),
    _mutant("poison blocks its batch", "a saga that cannot be taken up fails all that are due",
            _place(BlocksItsBatch), "INV-7"),
    _mutant("poison for ever", "a saga that always raises is put off, and laid before nobody",
            _place(PutsPoisonOff), "INV-7"),
    _mutant("late charge unheard", "what is charged after all is given back by nobody",
            _place(DeafToLateCharges), "INV-2", "INV-5", "INV-8"),
    _mutant("approved alone", "a resolution is approved by who has proposed it",
            _resolutions(OneSuffices), "INV-18"),
    _mutant("applied again", "a resolution is applied by each who finds it",
            _resolutions(AppliesAgain), "INV-18"),
    _mutant("approved and forgotten", "an approval dies with its process",
            lambda parts: replace(parts, operations=ForgetsApproved), "INV-18"),
    _mutant("resolved, still charged", "what was resolved is not kept where the charge is made",
            _resolving(BelievesAlone), "INV-18"),
    _mutant("believed over the PSP", "persons are believed without asking the PSP once more",
            _resolving(BelievesPersons), "INV-2", "INV-5", "INV-8"),
)  # fmt: skip

_SEEDS_MAX = 200


def seeds_for(mutant: Mutant) -> Sequence[int]:
    """Tell in which seeds a mistake is looked for."""
    return (
        range(TREACHEROUS, 100 * LONG_EVERY, LONG_EVERY)
        if mutant.needs_hours
        else range(_SEEDS_MAX)
    )
