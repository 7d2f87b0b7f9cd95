"""What a PSP's answer means, in words that all PSPs share."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.money import Money
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.reasons import MESSAGES, Reason


@dataclass(frozen=True, slots=True)
class Created:
    """The PSP's object is there, and has not been asked to move money, or has not heard it.

    Attributes:
        reference: the PSP's id of it.
        trace: the status and the PSP's own id of the exchange.
    """

    reference: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """A look-up found nothing. It is a hint, not a proof: a request may still be on its way."""

    trace: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the PSP, or the silence of it, says about the money.

    Attributes:
        is_replay: the PSP repeats a stored error and will for as long as it keeps the key.
        is_alarm: a person must look: nothing is sent again in this walk.
        may_go_elsewhere: of a decline: the PSP's own table says that another PSP may be asked.
        about_request: it says what became of this request alone. An earlier one may have done it.
        expires_at: of a success that holds the money: when the PSP lets go.
        retry_after: of TRANSIENT: how long the PSP wants to be left alone; None: it did not say.
        taken: of AMOUNT_MISMATCH: what the PSP has taken, or holds, instead of what was asked for;
            None: it did not say, or not yet.
        trace: the status and the PSP's own id of the exchange.
    """

    outcome: Outcome
    delivery: Delivery = Delivery.ANSWERED
    reference: str = ""
    reason: Reason | None = None
    psp_code: str = ""
    redirect_url: str = ""
    is_replay: bool = False
    is_alarm: bool = False
    may_go_elsewhere: bool = False
    about_request: bool = False
    trace: str = ""
    expires_at: datetime | None = None
    retry_after: timedelta | None = None
    taken: Money | None = None

    @property
    def message(self) -> str:
        """One or two sentences for a person; empty without a reason."""
        if self.reason is None:
            return ""
        told = MESSAGES[self.reason]
        return told if self.taken is None else f"{told} It says {in_words(self.taken)}."


Answer = Created | Absent | Verdict


def in_words(amount: Money) -> str:
    """Say an amount with its currency."""
    return f"{amount} {amount.currency}"


def outcome_of(heard: object) -> str:
    """Name what a PSP has said: a verdict's outcome, or what else it is."""
    return heard.outcome.value if isinstance(heard, Verdict) else type(heard).__name__.upper()


def class_of(heard: object) -> str:
    """Name an answer for the trail of requests: as `outcome_of`, with how far a request came."""
    outcome = outcome_of(heard)
    return f"{heard.delivery}:{outcome}" if isinstance(heard, Verdict) else outcome


def not_sent() -> Verdict:
    """Say that no byte left."""
    return held_back(Reason.PSP_UNREACHABLE)


def held_back(reason: Reason) -> Verdict:
    """Say that it was not sent, and why."""
    return Verdict(Outcome.TRANSIENT, Delivery.NOT_SENT, reason=reason, about_request=True)


def no_answer() -> Verdict:
    """Say that it may have arrived and no answer did."""
    return Verdict(Outcome.UNKNOWN, Delivery.SENT_NO_ANSWER, reason=Reason.NO_USABLE_ANSWER)


def alarm(
    trace: str,
    reason: Reason,
    *,
    psp_code: str = "",
    reference: str = "",
    taken: Money | None = None,
) -> Verdict:
    """Say that what came back must not be: it is neither success nor failure."""
    return Verdict(
        Outcome.UNKNOWN,
        reason=reason,
        psp_code=psp_code,
        reference=reference,
        is_alarm=True,
        trace=trace,
        taken=taken,
    )


def unusable(trace: str, *, is_replay: bool = False, psp_code: str = "") -> Verdict:
    """Say that the answer cannot be understood, or is an error of the PSP's own."""
    return Verdict(
        Outcome.UNKNOWN,
        reason=Reason.NO_USABLE_ANSWER,
        is_replay=is_replay,
        psp_code=psp_code,
        trace=trace,
    )
