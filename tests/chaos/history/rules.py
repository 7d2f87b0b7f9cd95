"""Replays a history on a simple model, in one pass per rule: O(n) after sorting.

The model is a dictionary of keys: the first write under a key decides, once; everything later under
it must be that answer. Statuses are followed in real time: what was told before a question was
asked binds its answer.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.history.events import (
    CANCEL,
    CAPTURE,
    CREATE,
    GET,
    OK,
    REFUSED,
    WRITES,
    Event,
    History,
)
from tests.chaos.history.moves import ORDER, ORDER_REACHES, PAYMENT, PAYMENT_REACHES, TERMINAL

_TOO_MANY = 429  # a limit is no verdict on what was asked


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule found, and the event or payment that offends."""

    rule: str
    offender: str


def check(history: History) -> list[Violation]:
    """Hold a history against every rule."""
    return [Violation(name, offender) for name, rule in RULES.items() for offender in rule(history)]


def _acknowledged(history: History, *operations: str) -> Iterator[Event]:
    for event in history.events:
        if event.outcome == OK and event.operation in operations:
            yield event


def complete(history: History) -> Iterator[str]:
    """There are final reads, and each payment is in them once."""
    if not history.stored:
        yield "there are no final reads"
    seen: set[str] = set()
    for stored in history.stored:
        if stored.payment_id in seen:
            yield f"{stored.payment_id} was read twice"
        seen.add(stored.payment_id)


def listed_whole(history: History) -> Iterator[str]:
    """The list tells each stored payment once, with its orders, as it is or as it went on to be;
    nothing else is on it.
    """
    if history.listed is None:
        return
    stored = {payment.payment_id: payment for payment in history.stored}
    seen: set[str] = set()
    for told in history.listed:
        known = stored.get(told.payment_id)
        if known is None or told.payment_id in seen:
            yield f"{told.payment_id} is listed {'twice' if known else 'and is not there'}"
        elif told.status not in PAYMENT_REACHES.get(known.status, ()):
            yield f"{told.payment_id} is {known.status} and is listed {told.status}"
        elif told.orders.keys() != known.orders.keys():
            yield f"{told.payment_id} is listed with other orders: {sorted(told.orders)}"
        else:
            yield from (
                f"{name} of {told.payment_id} is {known.orders[name]} and is listed {status}"
                for name, status in told.orders.items()
                if status not in ORDER_REACHES.get(known.orders[name], ())
            )
        seen.add(told.payment_id)
    for payment_id in sorted(stored.keys() - seen):
        yield f"{payment_id} is there and is not listed"


def one_effect(history: History) -> Iterator[str]:
    """A key makes one payment, and a payment has one key."""
    by_key: dict[str, str] = {}
    by_payment: dict[str, str] = {}
    for event in _acknowledged(history, CREATE):
        first = by_key.setdefault(event.key, event.payment_id)
        if first != event.payment_id:
            yield f"{event.key} made {first} and {event.payment_id}"
        owner = by_payment.setdefault(event.payment_id, event.key)
        if owner != event.key:
            yield f"{event.payment_id} answers to {owner} and {event.key}"


def orders_once(history: History) -> Iterator[str]:
    """An order that holds or took money is in one payment, whatever the answers were."""
    owners: dict[str, str] = {}
    for stored in history.stored:
        for order_id, status in stored.orders.items():
            if status in ("FAILED", "CANCELLED"):
                continue
            if order_id in owners:
                yield f"{order_id} is in {owners[order_id]} and {stored.payment_id}"
            owners[order_id] = stored.payment_id


def nothing_lost(history: History) -> Iterator[str]:
    """Every payment that was ever acknowledged, or read, is there at the end."""
    stored = {payment.payment_id for payment in history.stored}
    told = {e.payment_id for e in history.events if e.outcome == OK and e.payment_id}
    for payment_id in sorted(told - stored):
        yield f"{payment_id} was acknowledged and is not there"


def nothing_from_refusals(history: History) -> Iterator[str]:
    """What was certainly refused, and never accepted or in doubt, has made no payment."""
    asked: dict[str, set[str]] = defaultdict(set)
    for event in history.events:
        if event.operation == CREATE:
            for order_id in event.orders:
                asked[order_id].add(event.outcome)
    for stored in history.stored:
        for order_id in stored.orders:
            if not asked[order_id] - {REFUSED}:
                yield f"{stored.payment_id} holds {order_id}, which nobody was let in with"


def first_answer(history: History) -> Iterator[str]:
    """The same request under the same key is answered as the first time, to the letter."""
    answers: dict[tuple[str, str, str], str] = {}
    for event in _acknowledged(history, *WRITES):
        first = answers.setdefault((event.operation, event.key, event.request), event.answer)
        if first != event.answer:
            yield f"{event.key}: {first} and then {event.answer}"


def other_body(history: History) -> Iterator[str]:
    """A key is never accepted with two requests."""
    requests: dict[tuple[str, str], str] = {}
    for event in _acknowledged(history, *WRITES):
        first = requests.setdefault((event.operation, event.key), event.request)
        if first != event.request:
            yield f"{event.key} was accepted with {first} and with {event.request}"


def not_refused_later(history: History) -> Iterator[str]:
    """What was acknowledged is not refused when it is asked again."""
    acknowledged: dict[tuple[str, str, str], float] = {}
    for event in sorted(history.events, key=lambda e: e.returned):
        name = (event.operation, event.key, event.request)
        if event.outcome == OK and event.operation in WRITES:
            acknowledged.setdefault(name, event.returned)
    for event in history.events:
        if event.outcome == REFUSED and event.http != _TOO_MANY:
            when = acknowledged.get((event.operation, event.key, event.request))
            if when is not None and when < event.invoked:
                yield f"{event.key} was acknowledged and then refused: {event.reason}"


def never_taken_back(history: History) -> Iterator[str]:
    """What a client was told of a payment only moves on, by allowed moves, in real time."""
    for payment_id, events in _by_payment(history).items():
        told: set[str] = set()
        orders: dict[str, set[str]] = defaultdict(set)
        for event, is_invocation in _in_time(events):
            if not is_invocation:
                told.add(event.status)
                for order_id, status in event.orders.items():
                    orders[order_id].add(status)
                continue
            for before in told:
                if event.status not in PAYMENT_REACHES.get(before, ()):
                    yield f"{payment_id} was {before} and later {event.status}"
            for order_id, status in event.orders.items():
                for before in orders[order_id]:
                    if status not in ORDER_REACHES.get(before, ()):
                        yield f"{order_id} was {before} and later {status}"


def as_stored(history: History) -> Iterator[str]:
    """What is stored at the end can follow from all that was ever told."""
    stored = {payment.payment_id: payment for payment in history.stored}
    for event in history.events:
        last = stored.get(event.payment_id)
        if event.outcome != OK or last is None or event.operation != GET:
            continue
        if last.status not in PAYMENT_REACHES.get(event.status, ()):
            yield f"{event.payment_id} was told {event.status} and is {last.status}"


def allowed_moves(history: History) -> Iterator[str]:
    """Every move that was stored is one that the interface allows, from where the last one led."""
    for stored in history.stored:
        last: dict[str, str] = {}
        for subject, before, after in stored.changes:
            moves = PAYMENT if subject == stored.payment_id else ORDER
            if after not in moves.get(before, ()):
                yield f"{subject} of {stored.payment_id} went from {before or 'nothing'} to {after}"
            if before != last.get(subject, ""):
                yield f"{subject} went on from {before}, but was {last.get(subject) or 'nothing'}"
            last[subject] = after


def capture_or_cancel(history: History) -> Iterator[str]:
    """A hold is captured or let go of, never both, and ends as was acknowledged."""
    accepted: dict[str, set[str]] = defaultdict(set)
    keys: dict[str, set[str]] = defaultdict(set)
    for event in _acknowledged(history, CAPTURE, CANCEL):
        accepted[event.payment_id].add(event.operation)
        keys[event.payment_id].add(event.key)
    stored = {payment.payment_id: payment.status for payment in history.stored}
    for payment_id, operations in accepted.items():
        if len(operations) > 1 or len(keys[payment_id]) > 1:
            yield f"{payment_id} accepted {sorted(operations)} under {len(keys[payment_id])} keys"
        status = stored.get(payment_id, "")
        if operations == {CANCEL} and status in TERMINAL - {"CANCELLED"}:
            yield f"{payment_id} was to be let go of and is {status}"
        if operations == {CAPTURE} and status == "CANCELLED":
            yield f"{payment_id} was to be captured and is CANCELLED"


def ledger_in_real_time(history: History) -> Iterator[str]:
    """A payment that was told COMPLETED is booked before any that was asked for later."""
    asked: dict[str, float] = {}
    completed: dict[str, float] = {}
    # A create that nobody answered may have made the payment that its repetition tells of.
    first: dict[str, float] = {}
    for event in history.events:
        if event.operation == CREATE:
            first[event.key] = min(event.invoked, first.get(event.key, event.invoked))
    for event in history.events:
        if event.outcome == OK and event.operation == CREATE:
            asked[event.payment_id] = first[event.key]
        elif event.outcome == OK and event.status == "COMPLETED":
            completed[event.payment_id] = min(
                event.returned, completed.get(event.payment_id, event.returned)
            )
    latest: dict[str, tuple[float, str]] = {}
    first_seen: set[tuple[str, str]] = set()
    for entry in sorted(history.posted, key=lambda e: (e.account_id, e.place)):
        # Later entries of a payment, such as its settlement, are free to come when they come.
        if (entry.account_id, entry.payment_id) in first_seen:
            continue
        first_seen.add((entry.account_id, entry.payment_id))
        invoked, earlier = latest.get(entry.account_id, (0.0, ""))
        if completed.get(entry.payment_id, float("inf")) < invoked:
            yield f"{entry.account_id}: {earlier} is booked before {entry.payment_id}"
        if asked.get(entry.payment_id, 0.0) > invoked:
            latest[entry.account_id] = (asked[entry.payment_id], entry.payment_id)


def _by_payment(history: History) -> Mapping[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in _acknowledged(history, GET):
        found[event.payment_id].append(event)
    return found


def _in_time(events: Sequence[Event]) -> list[tuple[Event, bool]]:
    """Order invocations and answers in time; at one instant, answers come after: they overlap."""
    moments = [(event.invoked, 0, event) for event in events]
    moments += [(event.returned, 1, event) for event in events]
    moments.sort(key=lambda moment: moment[:2])
    return [(event, kind == 0) for _, kind, event in moments]


RULES: Mapping[str, Callable[[History], Iterator[str]]] = {
    "final reads are whole": complete,
    "the list tells what is stored": listed_whole,
    "a key makes one payment": one_effect,
    "an order is in one payment": orders_once,
    "no acknowledged payment is missing": nothing_lost,
    "what was refused has made nothing": nothing_from_refusals,
    "the same key has the same answer": first_answer,
    "another body is refused": other_body,
    "what was acknowledged is not refused": not_refused_later,
    "no answer is taken back": never_taken_back,
    "what was told is what is stored": as_stored,
    "statuses move as allowed": allowed_moves,
    "a hold ends one way": capture_or_cancel,
    "the ledger's order respects real time": ledger_in_real_time,
}
