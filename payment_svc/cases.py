"""What the moves of sagas write about cases beside themselves: the case, its history, its events.
A late success has a case from its first step on, a charge that its PSP keeps from when that is so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from chassis.database import Write
from chassis.money import Money
from payment_svc.domain.case import CaseKind, CaseStatus
from payment_svc.outbox import Event
from payment_svc.sagas import keeping, late_success
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import GIVEN_UP_BY, Do, Entry, Journey, Move
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
# Of a charge that is kept: given up, booked, and left by whatever step comes first.
_KEPT = {"charge": "OPENED", "capture": "OPENED", keeping.BOOK_KEPT.name: "BOOKED"}
_BOOKS: Mapping[str, Do] = {
    "book_charge": late_success.book_charge,
    "book_refund": late_success.book_refund,
}

Told = tuple[Journey, Entry, str]


def writes(moves: Sequence[Move]) -> list[Write]:
    """Make the writes, for the transaction that records the moves."""
    told = list(_told(moves))
    opened = [(j, e) for j, e, kind in told if kind == "OPENED"]
    closed = [(j, e) for j, e, kind in told if kind == "CLOSED"]
    events = [_event(j, 1, "case.opened") for j, _ in opened]
    events += [_event(j, 2, "case.closed") for j, _ in closed]
    lines = [(_id(j), e.sequence, e.finished_at, kind, e.detail) for j, e, kind in told]
    return [
        Write(_OPEN, [_case(j, e.finished_at) for j, e in opened], 11),
        Write(_CLOSE, [(_id(j), e.finished_at, _resolution(j)) for j, e in closed], 3),
        Write(_ADD_HISTORY, lines, 5),
        *webhook_outbox.record(events),
    ]


def _told(moves: Iterable[Move]) -> Iterator[Told]:
    """Tell which entries of the journal mean what for a case."""
    for move in moves:
        after = move.after
        is_late = _is_late(after)
        if not is_late and not _is_kept(after):
            continue
        for entry in move.entries:
            kind = _kind(after, entry) if is_late else _kept_kind(entry)
            if kind:
                yield after, entry, kind


def _kind(journey: Journey, entry: Entry) -> str:
    """Name what an entry means for the case of a late success; empty: nothing."""
    book = _BOOKS.get(entry.step)
    if book is not None and book(journey) is None:
        return ""  # it is only held, or stays in suspense
    if entry.outcome == "done":
        return _DONE.get(entry.step) or _resolution(journey)
    return _trouble(entry)


def _kept_kind(entry: Entry) -> str:
    """Name what an entry means for the case of a charge that is kept."""
    if entry.outcome != "done":
        return _trouble(entry)
    return _KEPT.get(entry.step, "CLOSED")


def _trouble(entry: Entry) -> str:
    return "STUCK" if entry.outcome in ("dead", "refused") else "TROUBLE"


def _is_late(journey: Journey) -> bool:
    return journey.progress.kind == late_success.KIND


def _is_kept(journey: Journey) -> bool:
    """Whether its saga books what the PSP has still: of a saga of another kind that is no case."""
    saga = SAGAS.get(journey.progress.kind)
    return keeping.is_kept(journey) and saga is not None and keeping.BOOK_KEPT in saga.steps


def _resolution(journey: Journey) -> str:
    return "GIVEN_UP" if GIVEN_UP_BY in journey.progress.memory else "GIVEN_BACK"


def _attempt_id(journey: Journey) -> str:
    memory = journey.progress.memory
    return memory["late_attempt_id"] if _is_late(journey) else memory["charge_attempt_id"]


def _id(journey: Journey) -> str:
    return late_success.case_id(_attempt_id(journey))


def _about(journey: Journey) -> tuple[CaseKind, str, str, Money]:
    """Tell what a case is about: its kind, the PSP, the PSP's reference, how much."""
    memory = journey.progress.memory
    if _is_late(journey):
        amount = late_success.late_amount(journey)
        return CaseKind.LATE_SUCCESS, memory["late_psp"], memory["late_reference"], amount
    return CaseKind.KEPT_CHARGE, memory["psp"], memory["psp_reference"], journey.amount


def _case(journey: Journey, at: datetime) -> tuple[object, ...]:
    payment = journey.payment
    kind, psp, psp_reference, amount = _about(journey)
    return (
        _id(journey),
        kind.value,
        CaseStatus.OPEN.value,
        payment.payment_id,
        payment.client_id,
        _attempt_id(journey),
        psp,
        psp_reference,
        amount.amount,
        amount.currency,
        at,
    )


def _event(journey: Journey, sequence: int, name: str) -> Event:
    payment = journey.payment
    kind, psp, _, amount = _about(journey)
    payload = {
        "case_id": _id(journey),
        "kind": kind.value,
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "psp": psp,
        "amount": str(amount),
        "currency": amount.currency,
    }
    return Event(_id(journey), sequence, name, payload)
