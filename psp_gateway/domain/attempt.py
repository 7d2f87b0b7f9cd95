"""An attempt: one call to a PSP for money, from the moment it is stored to its final outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from chassis.money import Money

# What the PSP has said nothing of is asked for again after an eighth of its age, a minute at most.
_AGE_SHARE, _UNHEARD_MAX = 8, timedelta(minutes=1)


class Kind(StrEnum):
    """What is asked of the PSP."""

    CHARGE = "CHARGE"
    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"

    @property
    def is_first(self) -> bool:
        """Whether it begins a charge; the others are about one that has succeeded."""
        return self in (Kind.CHARGE, Kind.AUTHORIZATION)


class Method(StrEnum):
    """What a buyer pays with, or a seller is paid by."""

    CARD = "CARD"
    WALLET = "WALLET"
    BANK_DEBIT = "BANK_DEBIT"
    BANK_TRANSFER = "BANK_TRANSFER"


class Outcome(StrEnum):
    """What came of it, as the contract spells it."""

    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    PENDING = "PENDING"
    TRANSIENT = "TRANSIENT"
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self in (Outcome.SUCCEEDED, Outcome.DECLINED)


class Delivery(StrEnum):
    """Whether the last request reached the PSP."""

    NOT_SENT = "NOT_SENT"
    SENT_NO_ANSWER = "SENT_NO_ANSWER"
    ANSWERED = "ANSWERED"


class Stage(StrEnum):
    """Which request is next; a charge passes CREATE, then CONFIRM; one that the buyer makes on a
    page of the PSP's passes OPEN, then PAGE, on which the PSP is only asked, and CONFIRM where the
    PSP wants another word. All but CREATE and OPEN move money, or the hold on it; CONFIRM, CAPTURE
    and VOID succeed once by the state of the PSP's object.
    """

    OPEN = "OPEN"
    PAGE = "PAGE"
    CREATE = "CREATE"
    CONFIRM = "CONFIRM"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as it stands.

    A stored TRANSIENT means that nothing has happened and nothing is under way: before anything is
    sent again, the row is stored as PENDING.

    NOT_SENT is said of TRANSIENT, and of what was given up in it, alone: another PSP may be asked
    instead, so it must not be said of what an earlier request, or one that is under way, may yet
    do.

    Attributes:
        fingerprint: keyed hash of the payment token; the token itself is never stored.
        charge_attempt_id: of a refund, capture or void, the attempt that it is about; else empty.
        charge_reference: the PSP's id of that; else empty.
        version: counts the writes; who does not hold the newest may only write success.
        sent_at: when the last request for it was sent; None before the first.
        expires_at: when the PSP lets go of what is held; None unless an authorization succeeded.
        psps_tried: those that could not take it, before `psp` was asked.
        page_expires_at: when the page closes on which the buyer pays; None without a page.
        retry_at: of TRANSIENT: until when the PSP wants to be left alone with it; of UNKNOWN: when
            it is worth while to look it up again. None when nobody said.
        is_put_off: not stored: it was not asked for again, since too much was at its PSP.
        is_unfinished: not stored: what is told is how it stood, since it is still under way.
        method: what the buyer pays with; of no meaning but for a charge.
        is_final: of a capture: whether the PSP lets go of the rest, so that no other follows.
        captured_before: of a capture or void: the sum of the captures that counted when it was
            taken up, in major units.
    """

    attempt_id: str
    kind: Kind
    payment_id: str
    client_id: str
    psp: str
    amount: Money
    stage: Stage
    created_at: datetime
    updated_at: datetime
    fingerprint: str = ""
    charge_attempt_id: str = ""
    charge_reference: str = ""
    outcome: Outcome = Outcome.PENDING
    delivery: Delivery = Delivery.SENT_NO_ANSWER  # once it is stored it may be sent
    psp_reference: str = ""
    reason: str = ""
    psp_code: str = ""
    message: str = ""
    redirect_url: str = ""
    request_count: int = 0
    version: int = 1
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    psps_tried: tuple[str, ...] = ()
    page_expires_at: datetime | None = None
    retry_at: datetime | None = None
    is_put_off: bool = False
    is_unfinished: bool = False
    method: Method = Method.CARD
    is_final: bool = True
    captured_before: Decimal = Decimal(0)

    @property
    def before(self) -> Money:
        """What the captures before it took."""
        return Money.of_stored(self.captured_before, self.amount.currency)

    @property
    def is_one_of_several(self) -> bool:
        """Whether other captures may stand beside it, so that the state alone tells nothing."""
        return not self.is_final or self.captured_before > 0

    @property
    def is_left_behind(self) -> bool:
        """Whether its buyer had long enough, and the PSP has taken in that it is to be taken back:
        what comes of that is told by the PSP unasked, or found out by a person.
        """
        return self.outcome is Outcome.UNKNOWN and self.reason == "AUTHENTICATION_ABANDONED"

    def unfinished(self) -> "Attempt":
        """Tell it as it stands while it is taken further: what its PSP had answered, or had not
        heard of, may have been sent again by now.
        """
        if self.outcome not in (Outcome.PENDING, Outcome.TRANSIENT):
            return replace(self, is_unfinished=True)
        return replace(
            self,
            outcome=Outcome.PENDING,
            delivery=Delivery.SENT_NO_ANSWER,
            reason="",
            psp_code="",
            message="",
            retry_at=None,
            is_unfinished=True,
        )

    def ask_again_at(self, now: datetime) -> datetime | None:
        """Tell from when on it is worth while to ask for it again; None when nobody knows better
        than its caller. While the PSP has said nothing of it, that is soon: it does not wait for
        the PSP, but for this gateway to go on.
        """
        if self.outcome.is_final:
            return None
        if self.retry_at is not None:
            return self.retry_at
        is_unheard = self.outcome is Outcome.PENDING and self.delivery is not Delivery.ANSWERED
        if not self.is_unfinished and not is_unheard:
            return None
        return now + min(abs(now - self.created_at) / _AGE_SHARE, _UNHEARD_MAX)

    def differs_from(self, asked: "Attempt") -> list[str]:
        """Name the fields in which what was asked before differs from what is asked now."""
        before, now = _content(self), _content(asked)
        return sorted(name for name in before if before[name] != now[name])


def _content(attempt: Attempt) -> Mapping[str, object]:
    """Tell what was asked; what is about a charge takes payment and client from it."""
    is_charge = attempt.kind.is_first
    return {
        "kind": attempt.kind,
        "amount": attempt.amount.amount,
        "currency": attempt.amount.currency,
        "payment_id": attempt.payment_id if is_charge else None,
        "client_id": attempt.client_id if is_charge else None,
        "payment_token": attempt.fingerprint,
        "payment_method": attempt.method,
        "charge_attempt_id": attempt.charge_attempt_id,
        "is_final": attempt.is_final,
    }
