"""A PSP in memory with Stripe's manners, and a store in memory, for tests of what stands between.

The PSP keeps a first answer under its key, confirms an object and ends what it holds once by state,
and can lose answers or hold a request back and carry it out later.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import TypeVar

from chassis.money import Money
from psp_gateway.domain.answer import (
    Absent,
    Answer,
    Created,
    Verdict,
    alarm,
    no_answer,
    not_sent,
    unusable,
)
from psp_gateway.domain.attempt import Attempt, Kind, Method, Outcome, Stage
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.holds import Holds
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.refunds import Refunds
from psp_gateway.ports import Exchange, Saved, TakenUp

Heard = TypeVar("Heard")

FAULTS = (
    "none",
    "not_sent",
    "rate_limited",
    "lost",  # carried out, and the answer lost
    "held",  # carried out later, if at all
    "error_before",
    "error_before_kept",
    "error_after_kept",
)
CHALLENGED_TOKEN = "pm_card_threeDSecure2Required"
DECLINED_TOKEN = "pm_card_visa_chargeDeclined"

_LIMITED = Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED, about_request=True)


def capable(psp: str, retention: timedelta = timedelta(hours=24)) -> Capabilities:
    """Declare a PSP that charges cards in two requests and can be asked."""
    return Capabilities(
        psp=psp,
        methods=frozenset({Method.CARD}),
        first_stage=Stage.CREATE,
        can_look_up=True,
        captures=Captures.ONCE,
        refunds=True,
        hosted_page=False,
        payouts=False,
        disputes=False,
        key_retention=dict.fromkeys(Stage, retention),
    )


def takes_parts(psp: str) -> bool:
    """Capture what is held several times, at every PSP."""
    return True


def expresses_all(psp: str, amount: Money) -> bool:
    """Express every amount."""
    return True


class FreePassage:
    """`ports.Guarding` that holds nothing back."""

    async def ask(
        self, operation: str, send: Callable[[], Awaitable[Heard]], *, is_repetition: bool = False
    ) -> Heard:
        """See `ports.Guarding`."""
        return await send()

    def may_repeat(self, operation: str) -> bool:
        """See `ports.Guarding`."""
        return True

    def obstacle(self, operation: str) -> str:
        """See `ports.Guarding`."""
        return ""


@dataclass
class FakePsp:
    """`ports.Provider` in memory; `moved` is its record."""

    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    capabilities: Capabilities = field(default_factory=lambda: capable("fake"))
    moved: list[tuple[str, str]] = field(default_factory=list)  # kind, attempt id
    held: list[Callable[[], Answer]] = field(default_factory=list)
    sent_keys: list[str] = field(default_factory=list)
    _intents: dict[str, tuple[str, str, Answer]] = field(default_factory=dict)
    _refunds: dict[str, Answer] = field(default_factory=dict)
    _ended: dict[str, Attempt | None] = field(default_factory=dict)  # by whom; None: by time
    _kept: dict[str, Answer] = field(default_factory=dict)
    _serial: "count[int]" = field(default_factory=lambda: count(1))

    def takes(self, currency: str) -> bool:
        """Whether it takes a currency."""
        return currency != "XXX"

    def can_express(self, amount: Money) -> bool:
        """Whether the amount exists in its units."""
        return amount.amount > 0

    async def create_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge`."""

        def effect() -> Answer:
            reference = f"pi_{next(self._serial)}"
            self._intents[reference] = (attempt.attempt_id, token, Created(reference))
            return Created(reference)

        return self._send(key, effect)

    async def confirm_charge(self, attempt: Attempt, *, token: str, key: str) -> Answer:
        """See `ports.Charge`."""
        return self._send(key, lambda: self._confirm(attempt))

    async def cancel_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Abandon`."""

        def effect() -> Answer:
            attempt_id, token, state = self._intents[attempt.psp_reference]
            if isinstance(state, Verdict) and state.outcome is Outcome.ACTION_REQUIRED:
                state = Verdict(Outcome.DECLINED, reason=Reason.PSP_CANCELLED)
                self._intents[attempt.psp_reference] = (attempt_id, token, state)
            return state

        return self._send(key, effect)

    async def refund_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Refund`."""

        def effect() -> Answer:
            self.moved.append(("refund", attempt.attempt_id))
            answer = Verdict(Outcome.SUCCEEDED, reference=f"re_{next(self._serial)}")
            self._refunds[attempt.attempt_id] = answer
            return answer

        return self._send(key, effect)

    async def capture_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold`."""
        return self._send(key, lambda: self._end_hold(attempt))

    async def void_charge(self, attempt: Attempt, *, key: str) -> Answer:
        """See `ports.Hold`."""
        return self._send(key, lambda: self._end_hold(attempt))

    async def read_hold(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`."""
        return self._read(lambda: self._became(attempt))

    def let_go(self) -> None:
        """Let the time of all that is held run out."""
        for reference, (attempt_id, _, state) in self._intents.items():
            is_held = isinstance(state, Verdict) and state.expires_at is not None
            if is_held and reference not in self._ended:
                self.moved.append(("void", attempt_id))
                self._ended[reference] = None

    def _end_hold(self, attempt: Attempt) -> Answer:
        if attempt.charge_reference in self._ended:
            return unusable("400", psp_code="payment_intent_unexpected_state")
        self.moved.append((attempt.kind.lower(), attempt.attempt_id))
        self._ended[attempt.charge_reference] = attempt
        return self._became(attempt)

    def _became(self, asked: Attempt) -> Answer:
        """Tell what became of a hold: once by its state, whoever asked for it."""
        if asked.charge_reference not in self._ended:
            return Absent()
        ended = self._ended[asked.charge_reference]
        if ended is None or ended.kind is Kind.VOID:
            if asked.kind is Kind.VOID:
                return Verdict(Outcome.SUCCEEDED, reference=asked.charge_reference)
            reason = Reason.PSP_CANCELLED if ended else Reason.AUTHORIZATION_EXPIRED
            return Verdict(Outcome.DECLINED, reason=reason)
        if asked.kind is Kind.VOID:
            return Verdict(Outcome.DECLINED, reason=Reason.ALREADY_CAPTURED)
        if asked.amount != ended.amount:
            return alarm("200", Reason.AMOUNT_MISMATCH)
        return Verdict(Outcome.SUCCEEDED, reference=asked.charge_reference)

    async def find_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`."""
        ours = [ref for ref, intent in self._intents.items() if intent[0] == attempt.attempt_id]
        return self._read(lambda: Created(ours[0]) if ours else Absent())

    async def read_charge(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`."""
        return self._read(lambda: self._intents[attempt.psp_reference][2])

    async def find_refund(self, attempt: Attempt) -> Answer:
        """See `ports.LookUp`."""
        return self._read(lambda: self._refunds.get(attempt.attempt_id, Absent()))

    def authenticate(self, reference: str) -> None:
        """Let the buyer pass the challenge."""
        attempt_id, token, _ = self._intents[reference]
        self.moved.append(("charge", attempt_id))
        done = Verdict(Outcome.SUCCEEDED, reference=reference)
        self._intents[reference] = (attempt_id, token, done)

    def agree(self, reference: str, attempt_id: str) -> None:
        """Let a buyer agree on a page to what is confirmed then."""
        self._intents[reference] = (attempt_id, "approval", Created(reference))

    def carry_out_held(self) -> None:
        """Let requests that were held back arrive."""
        held, self.held = self.held, []
        for effect in held:
            effect()

    def _confirm(self, attempt: Attempt) -> Answer:
        reference = attempt.psp_reference
        attempt_id, token, state = self._intents[reference]
        if not isinstance(state, Created):
            return unusable("400", psp_code="payment_intent_unexpected_state")
        if token == CHALLENGED_TOKEN:
            answer = Verdict(Outcome.ACTION_REQUIRED, reference=reference, redirect_url="https://x")
        elif token == DECLINED_TOKEN:
            answer = Verdict(Outcome.DECLINED, reference=reference, reason=Reason.CARD_DECLINED)
        else:
            self.moved.append((attempt.kind.lower(), attempt_id))
            is_held = attempt.kind is Kind.AUTHORIZATION
            until = attempt.created_at + timedelta(days=7) if is_held else None
            answer = Verdict(Outcome.SUCCEEDED, reference=reference, expires_at=until)
        self._intents[reference] = (attempt_id, token, answer)
        return answer

    def _send(self, key: str, effect: Callable[[], Answer]) -> Answer:
        self.sent_keys.append(key)

        def once() -> Answer:
            if key not in self._kept:
                self._kept[key] = effect()
                return self._kept[key]
            kept = self._kept[key]
            return replace(kept, is_replay=True) if isinstance(kept, Verdict) else kept

        match next(self.faults, "none"):
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
                self._kept[key] = unusable("500")
                return self._kept[key]
            case "error_after_kept" if key not in self._kept:
                effect()
                self._kept[key] = unusable("500")
                return self._kept[key]
            case _:
                return once()

    def _read(self, look: Callable[[], Answer]) -> Answer:
        match next(self.faults, "none"):
            case "not_sent":
                return not_sent()
            case "rate_limited":
                return _LIMITED
            case "none":
                return look()
            case _:
                return no_answer()


@dataclass
class FakeStore:
    """`ports.AttemptWriter` in memory."""

    rows: dict[str, Attempt] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    async def take_up_charge(self, asked: Attempt) -> TakenUp:
        """See `ports.AttemptWriter`."""
        is_new = asked.attempt_id not in self.rows
        return TakenUp(self.rows.setdefault(asked.attempt_id, asked), is_new)

    async def take_up_hold(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter`."""
        about = [a for a in self.rows.values() if a.charge_attempt_id]
        known = self.rows.values()
        answer = Holds(known, about, known, expresses_all, takes_parts).take_up(asked)
        if isinstance(answer, Refusal):
            return answer
        self.rows[asked.attempt_id] = answer[0]
        return TakenUp(answer[0], is_new=answer[1])

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """See `ports.AttemptWriter`."""
        refunds = [a for a in self.rows.values() if a.charge_attempt_id]
        known = self.rows.values()
        answer = Refunds(known, refunds, known, expresses_all).take_up(asked)
        if isinstance(answer, Refusal):
            return answer
        self.rows[asked.attempt_id] = answer[0]
        return TakenUp(answer[0], is_new=answer[1])

    async def save(self, attempt: Attempt, exchange: Exchange) -> Saved:
        """See `ports.AttemptWriter`."""
        self.exchanges.append(exchange)
        stored = self.rows[attempt.attempt_id]
        is_newest = attempt.version == stored.version
        if stored.outcome.is_final or not (is_newest or attempt.outcome is Outcome.SUCCEEDED):
            return Saved(stored, is_held=False)
        self.rows[attempt.attempt_id] = replace(attempt, version=stored.version + 1)
        return Saved(self.rows[attempt.attempt_id], is_held=True)
