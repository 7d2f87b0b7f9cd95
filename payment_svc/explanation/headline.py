"""The headline: a payment's story in one line."""

from collections.abc import Iterator
from datetime import datetime

from payment_svc.domain.case import CaseKind
from payment_svc.domain.statuses import FINAL, PaymentStatus
from payment_svc.explanation.story import Outlook, Source, Story, WaitsFor
from payment_svc.explanation.wording import count, money, span

_TAKES = ("CHARGE", "CAPTURE")


def headline(story: Story, outlook: Outlook, now: datetime) -> str:
    """Say it in one line: status, amount, how long, and what came of it or what it waits for."""
    payment = story.payment
    amount = money(str(payment.amount), payment.currency)
    is_over = payment.status in FINAL
    since = _ended_at(story) if is_over else now
    verb = "in" if is_over else "for"
    parts = list(_came_of_it(story)) if is_over else []
    if outlook.waits_for is not WaitsFor.NOTHING:
        parts.append(outlook.sentence.removesuffix("."))
    parts += _of_cases(story)
    parts += [f"{gap.source.service} did not tell" for gap in story.gaps]
    told = f": {', '.join(parts)}" if parts else ""
    return f"{payment.status} {amount} {verb} {span(since - payment.created_at)}{told}"


def _of_cases(story: Story) -> Iterator[str]:
    for case in story.cases:
        is_kept = case.kind is CaseKind.KEPT_CHARGE
        how = f"is with {case.psp} still" if is_kept else f"was charged late by {case.psp}"
        sum_ = money(case.amount, case.currency)
        yield f"{sum_} {how}, case {case.case_id} {case.status.value}"


def _ended_at(story: Story) -> datetime:
    payment = story.payment
    if payment.executed_at is not None:
        return payment.executed_at
    own = (c.changed_at for c in story.changes if c.subject_id == payment.payment_id)
    return max(own, default=payment.created_at)


def _came_of_it(story: Story) -> Iterator[str]:
    payment = story.payment
    is_kept = payment.status not in (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
    if payment.failure is not None:
        code = f" ({payment.failure.psp_code})" if payment.failure.psp_code else ""
        yield f"{payment.failure.reason}{code}"
    missing = {gap.source for gap in story.gaps}
    if Source.PSP not in missing:
        yield from _moved(story)
    if Source.WALLET not in missing:
        yield from _credited(story)
    if Source.LEDGER not in missing:
        yield from _booked(story, is_kept=is_kept)


def _moved(story: Story) -> Iterator[str]:
    """Say what was taken, given back and let go of at PSPs."""
    done = [a for a in story.attempts if a.outcome == "SUCCEEDED"]
    taken = [a for a in done if a.kind in _TAKES]
    if len(taken) == 1:
        one = taken[0]
        verb = "charged" if one.kind == "CHARGE" else "captured"
        part = "" if one.amount == str(story.payment.amount) else f" {one.amount}"
        yield f"{verb}{part} once by {one.psp} {one.psp_reference}"
    elif taken:
        yield f"charged {len(taken)} times by {', '.join(sorted({a.psp for a in taken}))}"
    else:
        yield "nothing was charged"
    for attempt in done:
        if attempt.kind == "REFUND":
            sum_ = money(attempt.amount, attempt.currency)
            yield f"{sum_} given back as {attempt.psp_reference}"
        elif attempt.kind == "VOID":
            yield "what was held was let go of"


def _credited(story: Story) -> Iterator[str]:
    credited = {o.wallet_id for o in story.operations if o.kind == "CREDIT"}
    reversed_ = {o.wallet_id for o in story.operations if o.kind == "REVERSAL"}
    if credited:
        yield f"credited to {count(len(credited), 'seller')}"
    if reversed_:
        yield f"taken back from {count(len(reversed_), 'seller')}"


def _booked(story: Story, *, is_kept: bool) -> Iterator[str]:
    transactions = list(dict.fromkeys(entry.transaction_id for entry in story.entries))
    if len(transactions) == 1:
        yield f"booked as {transactions[0]}"
    elif transactions:
        yield f"booked in {count(len(transactions), 'transaction')}"
    elif is_kept:
        yield "nothing was booked"
