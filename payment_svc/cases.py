"""What the moves of a late success write beside themselves: the case, its history, its events."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from chassis.database import Write
from payment_svc.domain.case import CaseKind, CaseStatus
from payment_svc.outbox import Event
from payment_svc.sagas import late_success
from payment_svc.sagas.journey import Do, Entry, Journey, Move
from payment_svc.webhooks import outbox as webhook_outbox

_OPEN = """
INSERT INTO cases (case_id, kind, status, payment_id, client_id, subject_id, psp, psp_reference,
    amount, currency, opened_at, resolution)
SELECT *, '' FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::numeric[], %b::text[], %b::timestamptz[])
ON CONFLICT (case_id) DO NOTHING
"""
_CLOSE = """
UPDATE cases AS c SET status = 'CLOSED', resolution = n.resolution, closed_at = n.at
FROM unnest(%b::text[], %b::timestamptz[], %b::text[]) AS n (case_id, at, resolution)
WHERE c.case_id = n.case_id AND c.status = 'OPEN'
"""
_ADD_HISTORY = """
INSERT INTO case_history (case_id, sequence, at, kind, detail)
SELECT * FROM unnest(%b::text[], %b::int[], %b::timestamptz[], %b::text[], %b::text[])
"""
_DONE = {
    "open_case": "OPENED",
    "book_charge": "BOOKED",
    "book_refund": "RELEASED",
    "close_case": "CLOSED",
}
_BOOKS: Mapping[str, Do] = {
    "book_charge": late_success.book_charge,
    "book_refund": late_success.book_refund,
}


def writes(moves: Sequence[Move]) -> list[Write]:
    """Make the writes, for the transaction that records the moves."""
    late = [move for move in moves if move.after.progress.kind == late_success.KIND]
    done = [(move.after, entry) for move in late for entry in move.entries]
    opened = [(j, e) for j, e in done if _kind(j, e) == "OPENED"]
    closed = [(j, e) for j, e in done if _kind(j, e) == "CLOSED"]
    events = [_event(j, 1, "case.opened") for j, _ in opened]
    events += [_event(j, 2, "case.closed") for j, _ in closed]
    return [
        Write(_OPEN, [_case(j, e.finished_at) for j, e in opened], 11),
        Write(_CLOSE, [(_id(j), e.finished_at, _resolution(j)) for j, e in closed], 3),
        Write(_ADD_HISTORY, [line for j, e in done for line in _line(j, e)], 5),
        *webhook_outbox.record(events),
    ]


def _line(journey: Journey, entry: Entry) -> Iterator[tuple[object, ...]]:
    kind = _kind(journey, entry)
    if kind:
        yield _id(journey), entry.sequence, entry.finished_at, kind, entry.detail


def _kind(journey: Journey, entry: Entry) -> str:
    """Name what an entry of the journal means for the case; empty: nothing."""
    book = _BOOKS.get(entry.step)
    if book is not None and book(journey) is None:
        return ""  # it is only held, or stays in suspense
    if entry.outcome == "done":
        return _DONE.get(entry.step) or _resolution(journey)
    return "STUCK" if entry.outcome in ("dead", "refused") else "TROUBLE"


def _resolution(journey: Journey) -> str:
    return "GIVEN_UP" if late_success.is_given_up(journey) else "GIVEN_BACK"


def _id(journey: Journey) -> str:
    return late_success.case_id(journey.progress.memory["late_attempt_id"])


def _case(journey: Journey, at: datetime) -> tuple[object, ...]:
    memory, payment = journey.progress.memory, journey.payment
    return (
        _id(journey),
        CaseKind.LATE_SUCCESS.value,
        CaseStatus.OPEN.value,
        payment.payment_id,
        payment.client_id,
        memory["late_attempt_id"],
        memory["late_psp"],
        memory["late_reference"],
        late_success.late_amount(journey).amount,
        memory["late_currency"],
        at,
    )


def _event(journey: Journey, sequence: int, name: str) -> Event:
    memory, payment = journey.progress.memory, journey.payment
    payload = {
        "case_id": _id(journey),
        "kind": CaseKind.LATE_SUCCESS.value,
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "psp": memory["late_psp"],
        "amount": memory["late_amount"],
        "currency": memory["late_currency"],
    }
    return Event(_id(journey), sequence, name, payload)
