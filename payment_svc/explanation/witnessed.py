"""The other services' parts of a story."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    Notice,
    WalletOperation,
)
from payment_svc.explanation.story import Source, TimelineEvent
from payment_svc.explanation.wording import count, money, told

# What an attempt of a kind wants of the PSP, and what it has done when it succeeded.
_WANTED = {
    "CHARGE": ("to charge", "charged"),
    "REFUND": ("to give back", "gave back"),
    "AUTHORIZATION": ("to hold", "holds"),
    "CAPTURE": ("to capture", "captured"),
    "VOID": ("to let go of", "let go of"),
}

_OTHER_AMOUNT = "AMOUNT_MISMATCH"


def assessed(assessment: Assessment, payment_id: str) -> TimelineEvent:
    """Tell what risk_svc decided."""
    rules = ", ".join(hit.rule for hit in assessment.hits)
    approved = assessment.decision == "APPROVED"
    by = f" by {rules}" if rules else ""
    return TimelineEvent(
        assessment.at,
        Source.RISK,
        "assessed",
        payment_id,
        "Approved: no rule spoke against it." if approved else f"{assessment.decision}{by}.",
        told(
            {
                "decision": assessment.decision,
                "rules": rules,
                "reasons": ", ".join(hit.reason for hit in assessment.hits),
            }
        ),
    )


def attempted(attempt: Attempt) -> Iterator[TimelineEvent]:
    """Tell that a PSP was to be asked, and what came of it."""
    wanted, _ = _words(attempt)
    sum_ = money(attempt.amount, attempt.currency)
    facts = {"kind": attempt.kind, "psp": attempt.psp, "amount": sum_}
    yield TimelineEvent(
        attempt.created_at,
        Source.PSP,
        "asked",
        attempt.attempt_id,
        f"{attempt.psp} is to be asked {wanted} {sum_}.",
        told(facts),
    )
    facts |= {
        "outcome": attempt.outcome,
        "delivery": attempt.delivery,
        "psp_reference": attempt.psp_reference,
        "reason": attempt.reason,
        "psp_code": attempt.psp_code,
        "message": attempt.message,
        "requests": str(attempt.request_count),
    }
    yield TimelineEvent(
        attempt.updated_at,
        Source.PSP,
        "answered",
        attempt.attempt_id,
        f"{_what_came(attempt, sum_)} ({count(attempt.request_count, 'request')}).",
        told(facts),
    )


def _words(attempt: Attempt) -> tuple[str, str]:
    return _WANTED.get(attempt.kind, (f"for {attempt.kind} of", f"did {attempt.kind} of"))


def _what_came(attempt: Attempt, sum_: str) -> str:
    wanted, done = _words(attempt)
    psp, reference = attempt.psp, attempt.psp_reference
    code = f" ({attempt.psp_code})" if attempt.psp_code else ""
    why = f": {attempt.reason}{code}" if attempt.reason else ""
    match attempt.outcome:
        case "SUCCEEDED":
            return f"{psp} {done} {sum_}" + (f" as {reference}" if reference else "")
        case "DECLINED" if attempt.reason == _OTHER_AMOUNT:
            return f"{psp} {done} another amount than {sum_}, which is given back"
        case "DECLINED":
            return f"{psp} declined {wanted} {sum_}{why}"
        case "ACTION_REQUIRED":
            return f"{psp} wants the buyer to act before it goes on"
        case "PENDING":
            return f"{psp} has not decided yet"
        case "TRANSIENT":
            return f"Nothing happened at {psp}{why}"
        case "UNKNOWN" if attempt.reason == _OTHER_AMOUNT:
            message = attempt.message.removesuffix(".")
            return f"{psp} was asked {wanted} {sum_} and tells another amount: {message}"
        case "UNKNOWN":
            return f"Whether {psp} {done} {sum_} is not known{why}"
        case outcome:
            return f"{psp} answered “{outcome}”{why}"


# What became of a webhook, and why one was ignored.
_BECAME = {
    "NEW": "it is still to be looked at",
    "APPLIED": "what it says is known",
    "KEPT": "ignored: it is about nothing of ours that waits",
    "PARKED": "put aside: it is about an object that is not known",
    "CONTRADICTS": "it denies what was final",
}


def told_unasked(notice: Notice) -> TimelineEvent:
    """Tell what a PSP told by a webhook, also when it was ignored, and why."""
    became = _BECAME.get(notice.state, notice.state)
    why = f" ({notice.note.removesuffix('.')})" if notice.note else ""
    again = count(notice.delivery_count - 1, "duplicate")
    copies = f"; {again} ignored" if notice.delivery_count > 1 else ""
    return TimelineEvent(
        notice.at,
        Source.PSP,
        "webhook",
        notice.event_id,
        f"{notice.psp} told {notice.event_type}: {became}{why}{copies}.",
        told(
            {
                "psp": notice.psp,
                "type": notice.event_type,
                "about": notice.subject,
                "psp_reference": notice.reference,
                "state": notice.state,
                "note": notice.note,
                "deliveries": notice.delivery_count,
                "looked_at_again_at": notice.due_at.isoformat() if notice.due_at else "",
            }
        ),
    )


def operated(operation: WalletOperation) -> TimelineEvent:
    """Tell how a wallet changed."""
    amount = money(operation.amount, operation.currency)
    summary = {
        "CREDIT": f"Credited {amount} to {operation.wallet_id}, pending.",
        "SETTLE": f"Made {amount} of {operation.wallet_id} available.",
        "REVERSAL": f"Took {amount} back from {operation.wallet_id}.",
    }.get(operation.kind, f"{operation.kind} of {amount} on {operation.wallet_id}.")
    return TimelineEvent(
        operation.at,
        Source.WALLET,
        operation.kind.lower(),
        operation.operation_id,
        summary,
        told(
            {
                "wallet_id": operation.wallet_id,
                "amount": amount,
                "pending_after": operation.pending_after,
                "available_after": operation.available_after,
                "held_after": operation.held_after,
            }
        ),
    )


def booked(entries: Sequence[LedgerEntry]) -> Iterator[TimelineEvent]:
    """Tell each transaction once, by its lines."""
    by_transaction: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        by_transaction[entry.transaction_id].append(entry)
    for transaction_id, lines in by_transaction.items():
        yield _transaction(transaction_id, lines)


def _transaction(transaction_id: str, lines: Sequence[LedgerEntry]) -> TimelineEvent:
    return TimelineEvent(
        lines[0].at,
        Source.LEDGER,
        "booked",
        transaction_id,
        f"Booked {transaction_id}: debited {_side(lines, is_debit=True)},"
        f" credited {_side(lines, is_debit=False)}.",
        told(
            {
                "reference": lines[0].reference,
                "debits": _listed(lines, is_debit=True),
                "credits": _listed(lines, is_debit=False),
            }
        ),
    )


def _side(lines: Sequence[LedgerEntry], *, is_debit: bool) -> str:
    """Say one side: its only line, or how many accounts share it."""
    side = [line for line in lines if line.is_debit is is_debit]
    if len(side) == 1:
        return f"{money(side[0].amount, side[0].currency)} to {side[0].account_id}"
    return count(len(side), "account")


def _listed(lines: Sequence[LedgerEntry], *, is_debit: bool) -> str:
    return ", ".join(
        f"{line.account_id} {money(line.amount, line.currency)}"
        for line in lines
        if line.is_debit is is_debit
    )
