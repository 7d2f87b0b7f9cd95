"""What checks read after a seed: the PSPs' own records first, then what we keep ourselves."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ledger_svc.domain.account import Side
from payment_svc.domain.payment import Payment
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.sagas.journey import Queue
from psp_gateway.domain.attempt import Attempt
from tests.simulation.clients import Diary
from tests.simulation.parts import Parts
from tests.simulation.payments import Row
from tests.simulation.psp import Effect
from tests.simulation.world import World

TAKEN = ("charged", "captured")
_LEAVES = (Decision.GIVE_UP, Decision.DONE_BY_HAND)
_REFUND = "r1"  # by which the attempt's id ends that gives a charge back


@dataclass(slots=True)
class Evidence:
    """A world that has come to rest, ordered by payment.

    Attributes:
        effects: what the PSPs did for each payment, in order.
        troubled: payments of which a saga waits visibly for a person, and why.
        approved_alone: resolutions that somebody could approve who had proposed them.
        silently_open: who was so a minute after all was well, see `liveness`.
    """

    parts: Parts
    diary: Diary
    strikes: Mapping[str, int]
    end: datetime
    effects: dict[str, list[Effect]] = field(default_factory=lambda: defaultdict(list))
    troubled: dict[str, str] = field(default_factory=dict)
    approved_alone: set[str] = field(default_factory=set)
    silently_open: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, world: World) -> "Evidence":
        """Read a world."""
        found = cls(world.parts, world.clients.diary, world.chance.strikes, world.loop.now())
        found.approved_alone = world.operators.approved_alone
        found.silently_open = world.silently_open
        for psp in world.psps.values():
            for effect in psp.record:
                found.effects[effect.payment_id].append(effect)
        for row in world.parts.payments.sagas.values():
            if row.progress.queue is Queue.DEAD_LETTER and row.progress.reason:
                found.troubled[row.progress.payment_id] = row.progress.reason
        return found

    @property
    def payments(self) -> Sequence[Payment]:
        """Every payment that is stored."""
        return list(self.parts.payments.rows.values())

    @property
    def settled(self) -> Iterator[Payment]:
        """Every payment that no person has to look at."""
        return (one for one in self.payments if one.payment_id not in self.troubled)

    def resolutions(self, status: ResolutionStatus) -> Iterator[Resolution]:
        """Resolutions that stand so."""
        return (one for one in self.parts.resolutions.rows.values() if one.status is status)

    def sagas(self, payment_id: str) -> list[Row]:
        """A payment's sagas."""
        rows = self.parts.payments.sagas.values()
        return [row for row in rows if row.progress.payment_id == payment_id]

    def attempts(self, payment_id: str) -> list[Attempt]:
        """A payment's attempts."""
        return [a for a in self.parts.attempts.rows.values() if a.payment_id == payment_id]

    def minor(self, payment_id: str, *kinds: str) -> int:
        """Sum what the PSPs did for a payment, in cents."""
        return sum(e.minor for e in self.effects[payment_id] if e.kind in kinds)

    def is_bought_back(self, effect: Effect) -> bool:
        """Whether a refund is the saga's own, and not one that somebody asked for."""
        return effect.kind == "refunded" and effect.attempt_id.endswith("r1")

    def kept(self, payment_id: str) -> int:
        """What the PSPs took for a payment and the sagas did not give back, in cents."""
        back = [e.minor for e in self.effects[payment_id] if self.is_bought_back(e)]
        return self.minor(payment_id, *TAKEN) - sum(back)

    def left(self, payment_id: str) -> int:
        """What two persons left with a PSP of a payment, in cents: of whole charges, by the word of
        their refunds.
        """
        whole = Decimal(0)
        for one in self.resolutions(ResolutionStatus.APPLIED):
            is_left = one.decision in _LEAVES and not one.psp_reference
            if is_left and one.payment_id == payment_id and one.attempt_id.endswith(_REFUND):
                charge = one.attempt_id.removesuffix(_REFUND)
                whole += self.parts.attempts.rows[charge].amount.amount
        return int(whole * 100)

    def suspended(self, payment_id: str) -> int:
        """What the ledger has in suspense for a payment, in cents."""
        return self._sum(payment_id, "suspense:", Side.CREDIT)

    def booked(self, payment_id: str) -> int:
        """What the ledger says that the PSPs owe us for a payment, in cents."""
        return self._sum(payment_id, "psp:", Side.DEBIT)

    def _sum(self, payment_id: str, accounts: str, side: Side) -> int:
        """Sum what is booked for a payment on accounts of a kind, in cents, in one direction."""
        total = Decimal(0)
        for written in self.parts.ledger.written:
            if written.heading.subject_id == payment_id:
                for line in written.lines:
                    if line.account_id.startswith(accounts):
                        signed = line.amount.amount
                        total += signed if line.side is side else -signed
        return int(total * 100)

    def credited(self, payment_id: str) -> Mapping[str, int]:
        """What each wallet has of a payment, in cents."""
        sums: dict[str, int] = defaultdict(int)
        for done in self.parts.wallets.store.operations.values():
            if done.subject_id == payment_id:
                sums[done.wallet_id] += int((done.change.pending + done.change.available) * 100)
        return {name: cents for name, cents in sums.items() if cents}

    def owed(self, payment_id: str) -> Mapping[str, int]:
        """What the ledger says that we owe each seller for a payment, in cents."""
        sums: dict[str, int] = defaultdict(int)
        for written in self.parts.ledger.written:
            if written.heading.subject_id == payment_id:
                for line in written.lines:
                    if line.account_id.startswith("seller:"):
                        cents = int(line.amount.amount * 100)
                        sums[line.account_id] += cents if line.side is Side.CREDIT else -cents
        return {name: cents for name, cents in sums.items() if cents}
