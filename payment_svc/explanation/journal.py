"""Our own part of a story: how the payment began, what its sagas did, what statuses it took."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from payment_svc.domain.case import Case, CaseKind
from payment_svc.domain.payment import Payment
from payment_svc.explanation.story import Source, Story, TimelineEvent
from payment_svc.explanation.wording import count, money, span, told
from payment_svc.ports import SagaView, StatusChange
from payment_svc.sagas.journey import Entry, Queue
from payment_svc.sagas.keeping import BOOK_KEPT

_ENDS = {
    (CaseKind.LATE_SUCCESS, "GIVEN_BACK"): "was given back",
    (CaseKind.LATE_SUCCESS, "GIVEN_UP"): "was given up, and is not given back",
    (CaseKind.KEPT_CHARGE, "GIVEN_BACK"): "was given back elsewhere, and stands in suspense",
    (CaseKind.KEPT_CHARGE, "GIVEN_UP"): "is not given back, and stands in suspense",
}


def beginnings(story: Story) -> Iterator[TimelineEvent]:
    """Tell how the payment came in, and which sagas were begun for it later."""
    payment = story.payment
    yield _accepted(payment)
    for view in story.sagas:
        progress = view.progress
        if progress.created_at == payment.created_at:
            continue
        yield TimelineEvent(
            progress.created_at,
            Source.PAYMENT,
            "saga_begun",
            progress.saga_id,
            f"Saga {progress.kind} was begun.",
            told({"kind": progress.kind, "order_id": progress.order_id}),
        )


def _accepted(payment: Payment) -> TimelineEvent:
    amount = money(str(payment.amount), payment.currency)
    sellers = len({order.seller_account for order in payment.orders})
    orders = count(len(payment.orders), "order")
    return TimelineEvent(
        payment.created_at,
        Source.PAYMENT,
        "accepted",
        payment.payment_id,
        f"Accepted {amount} from client {payment.client_id}: {orders}, {count(sellers, 'seller')}.",
        told(
            {
                "client_id": payment.client_id,
                "checkout_id": payment.checkout_id,
                "amount": payment.amount,
                "currency": payment.currency,
                "orders": len(payment.orders),
                "sellers": sellers,
                "capture_method": payment.capture_method.value,
                "partial_failure_policy": payment.partial_failure_policy.value,
            }
        ),
    )


def steps(story: Story) -> Iterator[TimelineEvent]:
    """Tell what the sagas did; a step that came to the same again and again is told once."""
    for view in story.sagas:
        # What a person let go on is told by the trail of operators.
        own = (entry for entry in view.entries if entry.outcome != "let_on")
        for _, same in groupby(own, key=_sameness):
            yield _step(view, list(same))
        if view.progress.queue is Queue.DEAD_LETTER:
            yield _dead_letter(view)


def _sameness(entry: Entry) -> tuple[str, str, str, str]:
    return entry.step, entry.action, entry.outcome, entry.detail


def _step(view: SagaView, entries: Sequence[Entry]) -> TimelineEvent:
    first, last = entries[0], entries[-1]
    progress = view.progress
    return TimelineEvent(
        first.finished_at,
        Source.PAYMENT,
        "step",
        progress.saga_id,
        f"Step {place(first.step, progress.kind)} {_what_came(first, len(entries))}.",
        told(
            {
                "kind": progress.kind,
                "order_id": progress.order_id,
                "step": first.step,
                "action": first.action,
                "outcome": first.outcome,
                "detail": first.detail,
                "sequence": first.sequence,
                "times": len(entries),
                "took": span(first.finished_at - first.started_at),
                "last_at": last.finished_at.isoformat() if len(entries) > 1 else "",
            }
        ),
    )


def place(step: str, kind: str) -> str:
    """Name a step of a saga; one that is called as its saga is not told twice."""
    return step if step == kind else f"{step} of {kind}"


def _what_came(entry: Entry, times: int) -> str:
    took = span(entry.finished_at - entry.started_at)
    detail = f": {entry.detail}" if entry.detail else ""
    again = f" ({times} times)" if times > 1 else ""
    # What is done on the way back alone undoes nothing.
    action = "do" if entry.step == BOOK_KEPT.name else entry.action
    match action, entry.outcome:
        case "undo", "done" if entry.started_at == entry.finished_at and not detail:
            return "had nothing to undo"
        case "undo", "done":
            return f"was undone in {took}{detail}"
        case _, "done":
            return f"was done in {took}{detail}"
        case _, "refused":
            return f"was refused{detail}"
        case action, "retry":
            return f"met trouble{_going_back(action)}{detail}{again}"
        case action, "wait":
            return f"had to wait{_going_back(action)}{detail}{again}"
        case action, "dead":
            return f"cannot go on{_going_back(action)}{detail}"
        case action, outcome:
            return f"came to “{outcome}”{_going_back(action)}{detail}{again}"


def _going_back(action: str) -> str:
    return " while being undone" if action == "undo" else ""


def _dead_letter(view: SagaView) -> TimelineEvent:
    progress = view.progress
    at = view.entries[-1].finished_at if view.entries else progress.step_since
    return TimelineEvent(
        at,
        Source.PAYMENT,
        "dead_letter",
        progress.saga_id,
        f"Step {place(progress.step, progress.kind)} was laid before a person: {progress.reason}.",
        told({"kind": progress.kind, "step": progress.step, "reason": progress.reason}),
    )


def statuses(story: Story) -> Iterator[TimelineEvent]:
    """Tell each status taken; orders that took the same one at once are told together."""
    moves = (change for change in story.changes if change.from_status)
    for _, same in groupby(moves, key=lambda change: _together(story.payment, change)):
        yield _status(story.payment, list(same))


def _together(payment: Payment, change: StatusChange) -> tuple[object, ...]:
    own = change.subject_id == payment.payment_id
    return own, change.from_status, change.to_status, change.reason, change.changed_at


def _status(payment: Payment, changes: Sequence[StatusChange]) -> TimelineEvent:
    first = changes[0]
    own = first.subject_id == payment.payment_id
    who = "The payment" if own else count(len(changes), "order")
    verb = "went" if own or len(changes) == 1 else "went each"
    why = f": {first.reason}" if first.reason else ""
    return TimelineEvent(
        first.changed_at,
        Source.PAYMENT,
        "status" if own else "order_status",
        first.subject_id if len(changes) == 1 else payment.payment_id,
        f"{who} {verb} from {first.from_status} to {first.to_status}{why}.",
        told(
            {
                "from": first.from_status,
                "to": first.to_status,
                "reason": first.reason,
                "subjects": "" if own else ", ".join(change.subject_id for change in changes),
            }
        ),
    )


def cases(story: Story) -> Iterator[TimelineEvent]:
    """Tell what a person should know of: each case when it was opened and when it was closed."""
    for case in story.cases:
        sum_ = money(case.amount, case.currency)
        facts = told({"case": case.kind.value, "attempt_id": case.subject_id, "amount": sum_})
        yield TimelineEvent(
            case.opened_at,
            Source.PAYMENT,
            "case_opened",
            case.case_id,
            f"Case {case.case_id}: {_about(case, sum_)}.",
            facts,
        )
        if case.closed_at is not None:
            yield TimelineEvent(
                case.closed_at,
                Source.PAYMENT,
                "case_closed",
                case.case_id,
                f"Case {case.case_id} is closed: {sum_} {_ENDS[case.kind, case.resolution]}.",
                facts,
            )


def _about(case: Case, sum_: str) -> str:
    if case.kind is CaseKind.KEPT_CHARGE:
        return f"{case.psp} has {sum_} still that was to be given back"
    return f"{case.psp} has charged {sum_} that had been given up"
