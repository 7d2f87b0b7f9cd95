"""What a call brings about: the new objects, the fact for the record, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.objects import (
    Charge,
    Dispute,
    Intent,
    Refund,
    Session,
    StoredFile,
    Transfer,
)

# Kinds by which money, or a hold on it, really moved.
MOVED = frozenset({"charge", "authorization", "capture", "refund", "void", "payout"})


@dataclass(frozen=True, slots=True)
class Page:
    """A list as asked for: newest first."""

    url: str
    items: tuple[Intent | Charge | Refund | Session | Dispute | Transfer, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that can be given again word for word.

    Args:
        status: of HTTP.
        subject: the object answered, or the intent inside an error.
        error: Stripe's error object; None when the call succeeded.
        charge: of an intent that is answered, when it was to be expanded.
    """

    status: int
    subject: Intent | Charge | Refund | Session | Dispute | StoredFile | Transfer | Page | None = (
        None
    )
    error: Mapping[str, Any] | None = None
    charge: Charge | None = None

    @classmethod
    def refusing(cls, refused: StripeError) -> "Answer":
        """Make the answer of an error."""
        return cls(refused.status, refused.intent, refused.error)


SERVER_ERROR = Answer(
    500,
    error={
        "type": "api_error",
        "message": "An unknown error occurred; please try again.",
    },
)


@dataclass(frozen=True, slots=True)
class Change:
    """An effect.

    Args:
        kind: of the line in the record.
        reference, payment_reference: ids of what moved and of its PaymentIntent.
        amount, currency: what moved; 0 when nothing did.
        metadata: the caller's own.
        answer: what the caller is told.
        intent, charge, refund, session, dispute, file, transfer: the objects as they are now; None
            for those untouched.
        events: the types of what is told of the dispute or the transfer.
    """

    kind: str
    reference: str
    payment_reference: str
    amount: int
    currency: str
    metadata: Mapping[str, str]
    answer: Answer
    intent: Intent | None = None
    charge: Charge | None = None
    refund: Refund | None = None
    session: Session | None = None
    dispute: Dispute | None = None
    file: StoredFile | None = None
    transfer: Transfer | None = None
    events: tuple[str, ...] = ()


def of_intent(
    kind: str,
    intent: Intent,
    charge: Charge | None = None,
    *,
    amount: int | None = None,
    answer: Answer | None = None,
) -> Change:
    """Make the change of an intent; it moves the intent's amount unless told otherwise."""
    return Change(
        kind=kind,
        reference=charge.id if charge else intent.id,
        payment_reference=intent.id,
        amount=intent.amount if amount is None else amount,
        currency=intent.currency,
        metadata=intent.metadata,
        answer=answer or Answer(200, intent),
        intent=intent,
        charge=charge,
    )


def of_session(kind: str, session: Session) -> Change:
    """Make the change of a page by itself; no money moves."""
    return Change(
        kind=kind,
        reference=session.id,
        payment_reference=session.payment_intent or "",
        amount=0,
        currency=session.currency,
        metadata=session.metadata,
        answer=Answer(200, session),
        session=session,
    )


def of_refund(kind: str, refund: Refund, charge: Charge) -> Change:
    """Make the change of a refund, with the refund's own metadata."""
    return Change(
        kind=kind,
        reference=refund.id,
        payment_reference=refund.payment_intent,
        amount=refund.amount,
        currency=refund.currency,
        metadata=refund.metadata,
        answer=Answer(200, refund),
        charge=charge,
        refund=refund,
    )


def without_effect(kind: str, answer: Answer) -> Change:
    """Make a change that keeps an answer under its key and does nothing else."""
    intent = answer.subject if isinstance(answer.subject, Intent) else None
    if intent is None:
        return Change(kind, "", "", 0, "", {}, answer)
    return of_intent(kind, intent, amount=0, answer=answer)
