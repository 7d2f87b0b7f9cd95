"""A PSP in memory that pays out, and a book in memory, for tests of what stands between.

The PSP keeps a first answer under its key and then forgets it; it can lose answers, hold a request
back and carry it out later, and let what was paid come back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Verdict, no_answer, not_sent, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import PayoutUnderWay, Refusal
from psp_gateway.domain.payout import MOVES, Destination, Payout, State
from psp_gateway.domain.reasons import Reason
from psp_gateway.payout_ports import PayoutSaved, PayoutTaken, Terms
from psp_gateway.ports import Exchange

_LIMITED = Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED, about_request=True)
_REFUSED = Verdict(
    Outcome.DECLINED,
    reason=Reason.INSUFFICIENT_FUNDS,
    psp_code="balance_insufficient",
    about_request=True,
)


@dataclass
class FakePayer:
    """`payout_ports.PayOut` in memory; `paid` and `back` are its record, by attempt id.

    Attributes:
        retention: how long it really keeps a key.
        is_slow: whether it says at first only that it has accepted.
    """

    clock: Callable[[], datetime]
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    can_find: bool = True
    retention: timedelta = timedelta(hours=24)
    is_slow: bool = False
    paid: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    held: list[Callable[[], Answer]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    _kept: dict[str, tuple[datetime, Answer]] = field(default_factory=dict)

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut`."""
        return Terms(self.retention, self.can_find)

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut`."""
        return None

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut`."""
        self.keys.add(key)
        fault = next(self.faults, "none")

        def pay() -> Answer:
            if fault == "refused":
                return _REFUSED
            self.paid.append(payout.attempt_id)
            return self._became(payout.attempt_id)

        def once() -> Answer:
            since, kept = self._kept.get(key, (None, None))
            if since is None or kept is None or self.clock() - since >= self.retention:
                self._kept[key] = (self.clock(), pay())
                return self._kept[key][1]
            return replace(kept, is_replay=True) if isinstance(kept, Verdict) else kept

        match fault:
            case "not_sent":
                return not_sent()
            case "rate_limited":
                return _LIMITED
            case "lost":
                once()
                return no_answer()
            case "held":
                self.held.append(once)
                return no_answer()
            case "error_before":
                return unusable("500")
            case "error_before_kept" if key not in self._kept:
                self._kept[key] = (self.clock(), unusable("500"))
                return self._kept[key][1]
            case "error_after_kept" if key not in self._kept:
                pay()
                self._kept[key] = (self.clock(), unusable("500"))
                return self._kept[key][1]
            case _:
                return once()

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut`."""
        match next(self.faults, "none"):
            case "not_sent":
                return not_sent()
            case "rate_limited":
                return _LIMITED
            case "lost" | "held" | "error_before":
                return no_answer()
        return self._became(payout.attempt_id)

    def send_back(self, attempt_id: str) -> None:
        """Let what was paid come back."""
        if attempt_id in self.paid and attempt_id not in self.back:
            self.back.append(attempt_id)

    def carry_out_held(self) -> None:
        """Let requests that were held back arrive."""
        held, self.held = self.held, []
        for effect in held:
            effect()

    def _became(self, attempt_id: str) -> Answer:
        if attempt_id not in self.paid:
            return Absent()
        if attempt_id in self.back:
            return Verdict(
                Outcome.DECLINED,
                reference=f"tr_{attempt_id}",
                reason=Reason.PSP_CANCELLED,
                psp_code="reversed",
            )
        outcome = Outcome.PENDING if self.is_slow else Outcome.SUCCEEDED
        return Verdict(outcome, reference=f"tr_{attempt_id}")


@dataclass
class FakeBook:
    """`payout_ports.PayoutBook` in memory; `history` has every state that a payout went through."""

    rows: dict[str, Payout] = field(default_factory=dict)
    history: dict[str, list[State]] = field(default_factory=dict)

    async def take_up(self, asked: Payout) -> PayoutTaken | Refusal:
        """See `payout_ports.PayoutBook`."""
        if asked.attempt_id in self.rows:
            return PayoutTaken(self.rows[asked.attempt_id], is_new=False)
        for other in self.rows.values():
            if other.payout_id == asked.payout_id and not other.state.is_over:
                return PayoutUnderWay(asked.payout_id, other.attempt_id)
        self._put(asked)
        return PayoutTaken(asked, is_new=True)

    async def save(self, payout: Payout, exchange: Exchange) -> PayoutSaved:
        """See `payout_ports.PayoutBook`."""
        stored = self.rows[payout.attempt_id]
        is_newest = payout.version == stored.version
        is_news = payout.state is State.PAID and stored.state is not State.PAID
        is_same = stored.psp_reference in ("", payout.psp_reference)
        may_follow = payout.state in MOVES[stored.state]
        if not may_follow or not (is_newest or (is_news and is_same)):
            return PayoutSaved(stored, is_held=False)
        self._put(replace(payout, version=stored.version + 1))
        return PayoutSaved(self.rows[payout.attempt_id], is_held=True)

    async def of_payout(self, payout_id: str) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook`."""
        return [row for row in self.rows.values() if row.payout_id == payout_id]

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook`."""
        return [self.rows[id_] for id_ in attempt_ids if id_ in self.rows]

    async def of_reference(self, psp: str, reference: str) -> Sequence[Payout]:
        """See `payout_ports.PayoutBook`."""
        found = self.rows.values()
        return [row for row in found if (row.psp, row.psp_reference) == (psp, reference)]

    def _put(self, payout: Payout) -> None:
        self.rows[payout.attempt_id] = payout
        self.history.setdefault(payout.attempt_id, []).append(payout.state)
