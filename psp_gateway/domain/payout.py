"""A payout: one transfer of money out, from the moment it is stored until it is paid, has failed or
has come back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.money import Money
from privacy.masked import Personal
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.reasons import MESSAGES, Reason


class State(StrEnum):
    """How a payout stands, as the contract spells it."""

    PENDING = "PENDING"
    TRANSIENT = "TRANSIENT"
    UNKNOWN = "UNKNOWN"
    SUBMITTED = "SUBMITTED"
    PAID = "PAID"
    FAILED = "FAILED"
    RETURNED = "RETURNED"

    @property
    def is_over(self) -> bool:
        """Whether it never changes again, so that another attempt may be made."""
        return self in (State.FAILED, State.RETURNED)

    @property
    def is_accepted(self) -> bool:
        """Whether the PSP has said yes: nothing is ever sent again."""
        return self in (State.SUBMITTED, State.PAID)


# What may follow what. What a PSP calls failed after it was paid has come back; docs.stripe.com/api
# of payouts: "some failed payouts may initially show as paid but then change to failed".
MOVES: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(State) - {State.RETURNED},
    State.TRANSIENT: frozenset(State) - {State.RETURNED},
    State.UNKNOWN: frozenset(State) - {State.RETURNED, State.PENDING, State.TRANSIENT},
    State.SUBMITTED: frozenset({State.SUBMITTED, State.PAID, State.FAILED}),
    State.PAID: frozenset({State.PAID, State.RETURNED}),
    State.FAILED: frozenset(),
    State.RETURNED: frozenset(),
}

# Of a payout these words are about the payee's account and about our own money.
_MESSAGES: Mapping[Reason, str] = {
    **MESSAGES,
    Reason.PAYMENT_METHOD_INVALID: "The payee's account cannot be paid.",
    Reason.INSUFFICIENT_FUNDS: "There is not enough money of ours to pay it from.",
    Reason.PROCESSING_ERROR: "The PSP or a bank had trouble; try again later.",
    Reason.PSP_CANCELLED: "The PSP or the payee sent it back.",
}


@dataclass(frozen=True, slots=True)
class PspAccount:
    """An account at a PSP.

    Attributes:
        psp: who has it, and pays.
        account: its id there, or an e-mail address.
    """

    psp: str
    account: Personal[str]


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account at a bank."""

    iban: Personal[str]
    holder: Personal[str]
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a payout goes to, and what the payee reads; never stored here, so each call brings it.

    Attributes:
        text: what the payee reads; empty for nothing.
    """

    to: PspAccount | BankAccount
    text: str = field(default="", repr=False)

    @property
    def content(self) -> tuple[str, ...]:
        """What makes it this one: what a fingerprint is made of."""
        if isinstance(self.to, PspAccount):
            return ("psp", self.to.psp, self.to.account.reveal(), self.text)
        iban = self.to.iban.reveal().replace(" ", "").upper()
        return ("bank", iban, self.to.bic, self.to.holder.reveal(), self.text)


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout as it stands.

    A stored TRANSIENT means that nothing has happened and nothing is under way: before anything is
    sent again, the row is stored as PENDING.

    Attributes:
        fingerprint: keyed hash of the destination, which itself is never stored.
        key_since: when the first request was sent of those that may have done something: as long
            ago as the PSP may know the key at most.
        version: counts the writes; who does not hold the newest may only write PAID.
        sent_at: when the last request for it was sent; None before the first.
        paid_at: when it was first known to be PAID; None when it never was.
    """

    attempt_id: str
    payout_id: str
    client_id: str
    psp: str
    amount: Money
    fingerprint: str
    created_at: datetime
    updated_at: datetime
    key_since: datetime
    state: State = State.PENDING
    delivery: Delivery = Delivery.SENT_NO_ANSWER  # once it is stored it may be sent
    psp_reference: str = ""
    reason: str = ""
    psp_code: str = ""
    message: str = ""
    request_count: int = 0
    version: int = 1
    sent_at: datetime | None = None
    paid_at: datetime | None = None

    @property
    def key(self) -> str:
        """What its request is sent under, always the same."""
        return f"{self.attempt_id}:payout"

    def unfinished(self) -> "Payout":
        """Tell it as it stands while it is taken further."""
        return self

    def differs_from(self, asked: "Payout") -> list[str]:
        """Name the fields in which what was asked before differs from what is asked now."""
        before, now = _content(self), _content(asked)
        return sorted(name for name in before if before[name] != now[name])

    def told(self, verdict: Verdict, now: datetime) -> "Payout":
        """Take in what the PSP says of it; what may not follow changes nothing."""
        state = following(self.state, verdict)
        if state is None:
            return self
        is_sure = state is State.TRANSIENT or verdict.delivery is not Delivery.NOT_SENT
        return replace(
            self,
            state=state,
            delivery=verdict.delivery if is_sure else Delivery.SENT_NO_ANSWER,
            psp_reference=self.psp_reference or verdict.reference,
            reason=verdict.reason.value if verdict.reason else "",
            psp_code=verdict.psp_code,
            message=_MESSAGES[verdict.reason] if verdict.reason else "",
            updated_at=now,
            paid_at=self.paid_at or (now if state is State.PAID else None),
        )


def following(before: State, verdict: Verdict) -> State | None:
    """Tell the state that a verdict leads to; None when it may not follow, or says nothing new."""
    state = _STATES[verdict.outcome]
    if before is State.PAID and state is State.FAILED:
        state = State.RETURNED
    return state if state in MOVES[before] else None


def contradicts(before: State, verdict: Verdict) -> bool:
    """Whether a verdict says of a payout that is over, or paid, what cannot be: a person must look.

    What comes late, and was true once, contradicts nothing: PAID after RETURNED.
    """
    if verdict.outcome is Outcome.SUCCEEDED:
        return before is State.FAILED
    return False


_STATES = {
    Outcome.SUCCEEDED: State.PAID,
    Outcome.DECLINED: State.FAILED,
    Outcome.PENDING: State.SUBMITTED,
    Outcome.ACTION_REQUIRED: State.UNKNOWN,  # nobody is asked anything: no PSP should say so
    Outcome.TRANSIENT: State.TRANSIENT,
    Outcome.UNKNOWN: State.UNKNOWN,
}


def _content(payout: Payout) -> Mapping[str, object]:
    return {
        "payout_id": payout.payout_id,
        "client_id": payout.client_id,
        "amount": payout.amount.amount,
        "currency": payout.amount.currency,
        "psp": payout.psp,
        "destination": payout.fingerprint,
    }
