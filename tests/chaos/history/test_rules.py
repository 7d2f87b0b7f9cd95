"""The history checker: it lets a true history pass, and catches each planted lie by its rule."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.history.events import (
    CANCEL,
    CAPTURE,
    CREATE,
    GET,
    OK,
    REFUSED,
    UNKNOWN,
    Event,
    History,
    Posted,
    Stored,
    load,
    save,
)
from tests.chaos.history.moves import ORDER_REACHES, PAYMENT_REACHES
from tests.chaos.history.rules import RULES, check

MOVES = (
    ("pay_1", "", "PENDING"),
    ("ord_1", "", "PENDING"),
    ("pay_1", "PENDING", "PROCESSING"),
    ("ord_1", "PENDING", "EXECUTING"),
    ("ord_1", "EXECUTING", "SUCCESS"),
    ("pay_1", "PROCESSING", "COMPLETED"),
)


def created(number: int, at: float, outcome: str = OK, **changed: object) -> Event:
    """Record that payment `number` was asked for at a time, and answered half a second later."""
    event = Event(
        CREATE,
        at,
        at + 0.5,
        outcome,
        key=f"key_{number}",
        request=f"request {number}",
        answer=f"answer {number}" if outcome == OK else "",
        payment_id=f"pay_{number}" if outcome == OK else "",
        status="PENDING" if outcome == OK else "",
        orders={f"order_{number}": "PENDING" if outcome == OK else ""},
    )
    return replace(event, **changed)  # type: ignore[arg-type]


def read(number: int, at: float, status: str, order: str = "SUCCESS") -> Event:
    """Record that payment `number` was read at a time, and told a tenth of a second later."""
    told = {f"order_{number}": order}
    return Event(GET, at, at + 0.1, OK, payment_id=f"pay_{number}", status=status, orders=told)


def acted(operation: str, at: float) -> Event:
    """Record that payment 1, which was held, was captured or let go of."""
    key, answer = f"key_{operation}", f"{operation} accepted"
    return Event(operation, at, at + 0.5, OK, key=key, answer=answer, payment_id="pay_1")


def stored(number: int, status: str = "COMPLETED", order: str = "SUCCESS") -> Stored:
    """Write what is stored of payment `number` at the end."""
    return Stored(f"pay_{number}", status, {f"order_{number}": order})


def truth() -> History:
    """Write a history in which everything is as it should be, doubts and repetitions too."""
    events = [
        created(1, 1.0),
        created(1, 2.0),  # asked again
        created(1, 2.1, UNKNOWN),  # and again, into the void
        created(1, 2.2, REFUSED, request="another request", reason="IDEMPOTENCY_KEY_REUSED"),
        created(2, 3.0, UNKNOWN),  # nobody told; it was made
        created(3, 3.1, UNKNOWN),  # nobody told; it was not
        created(4, 3.2, REFUSED, reason="SELLER_NOT_ACTIVE"),
        read(1, 4.0, "PROCESSING", "EXECUTING"),
        read(1, 4.05, "PENDING", "PENDING"),  # overlaps: either may be first
        read(1, 5.0, "COMPLETED"),
        created(5, 6.0),
        read(5, 7.0, "COMPLETED"),
    ]
    payments = [replace(stored(1), changes=MOVES), stored(2), stored(5)]
    places = [("pay_1", 1), ("pay_2", 2), ("pay_5", 3), ("pay_1", 4)]
    posted = [Posted("psp:stripe", at, who) for who, at in places]
    return History(events, payments, posted, [stored(number) for number in (1, 2, 5)])


def with_events(*events: Event) -> History:
    """Add events to the truth."""
    history = truth()
    return replace(history, events=[*history.events, *events])


def with_stored(*payments: Stored) -> History:
    """Add payments to the truth, in the place of those that have the same id."""
    history = truth()
    names = {payment.payment_id for payment in payments}
    kept = [payment for payment in history.stored if payment.payment_id not in names]
    return replace(history, stored=[*kept, *payments])


def with_listed(*payments: Stored) -> History:
    """Have the list tell payments 1 and 2, and these."""
    return replace(truth(), listed=[stored(1), stored(2), *payments])


def of_hold(status: str, *operations: str) -> History:
    """Write a history of one payment that was held and ended."""
    acts = [acted(operation, 2.0 + place) for place, operation in enumerate(operations)]
    return History([created(1, 1.0), *acts], [stored(1, status)])


LIES: list[tuple[str, Callable[[], History]]] = [
    ("final reads are whole", lambda: replace(truth(), stored=[])),
    (
        "final reads are whole",
        lambda: replace(truth(), stored=[*truth().stored, stored(5)]),
    ),
    ("the list tells what is stored", with_listed),
    ("the list tells what is stored", lambda: with_listed(stored(5), stored(6))),
    ("the list tells what is stored", lambda: with_listed(stored(5), stored(5))),
    ("the list tells what is stored", lambda: with_listed(stored(5, "FAILED", "FAILED"))),
    ("the list tells what is stored", lambda: with_listed(stored(5, order="EXECUTING"))),
    ("the list tells what is stored", lambda: with_listed(Stored("pay_5", "COMPLETED", {}))),
    (
        "a key makes one payment",
        lambda: with_events(created(1, 8.0, payment_id="pay_5")),
    ),
    (
        "a key makes one payment",
        lambda: with_events(created(5, 8.0, key="key_6", answer="answer 5")),
    ),
    (
        "an order is in one payment",
        lambda: with_stored(Stored("pay_6", "COMPLETED", {"order_1": "SUCCESS"})),
    ),
    (
        "no acknowledged payment is missing",
        lambda: replace(truth(), stored=[p for p in truth().stored if p.payment_id != "pay_5"]),
    ),
    ("what was refused has made nothing", lambda: with_stored(stored(4))),
    ("what was refused has made nothing", lambda: with_stored(stored(9))),
    (
        "the same key has the same answer",
        lambda: with_events(created(1, 8.0, answer="answer 1 as it is now")),
    ),
    (
        "another body is refused",
        lambda: with_events(created(1, 8.0, request="another request")),
    ),
    (
        "what was acknowledged is not refused",
        lambda: with_events(created(1, 8.0, REFUSED, reason="PAYMENT_ORDER_ID_IN_USE")),
    ),
    ("no answer is taken back", lambda: with_events(read(1, 8.0, "FAILED", "FAILED"))),
    ("no answer is taken back", lambda: with_events(read(1, 8.0, "PROCESSING"))),
    ("no answer is taken back", lambda: with_events(read(1, 8.0, "COMPLETED", "EXECUTING"))),
    ("what was told is what is stored", lambda: with_stored(stored(5, "FAILED", "FAILED"))),
    (
        "statuses move as allowed",
        lambda: with_stored(
            replace(stored(1), changes=[*MOVES, ("pay_1", "COMPLETED", "PROCESSING")])
        ),
    ),
    (
        "statuses move as allowed",
        lambda: with_stored(
            replace(stored(1), changes=[*MOVES[:4], ("ord_1", "UNKNOWN", "SUCCESS")])
        ),
    ),
    ("a hold ends one way", lambda: of_hold("COMPLETED", CAPTURE, CANCEL)),
    ("a hold ends one way", lambda: of_hold("COMPLETED", CANCEL)),
    ("a hold ends one way", lambda: of_hold("CANCELLED", CAPTURE)),
    (
        "the ledger's order respects real time",
        lambda: replace(
            truth(), posted=[Posted("psp:stripe", 1, "pay_5"), Posted("psp:stripe", 2, "pay_1")]
        ),
    ),
]


def test_the_truth_passes() -> None:
    """Doubts, repetitions, refusals and overlapping reads are no violations."""
    assert check(truth()) == []


def test_a_list_may_be_newer() -> None:
    """What went on since the database was read is no lie of the list."""
    history = truth()
    read_before = [*history.stored[:2], stored(5, "PROCESSING", "EXECUTING")]
    rule = RULES["the list tells what is stored"]

    assert list(rule(replace(history, stored=read_before))) == []


@pytest.mark.parametrize("operation", [CAPTURE, CANCEL])
def test_a_hold_that_ends_as_asked_passes(operation: str) -> None:
    """What was acknowledged is what came of it."""
    status = {CAPTURE: "COMPLETED", CANCEL: "CANCELLED"}[operation]

    assert check(of_hold(status, operation)) == []


@pytest.mark.parametrize(("rule", "lie"), LIES)
def test_each_lie_is_caught(rule: str, lie: Callable[[], History]) -> None:
    """A planted violation is found, by the rule that is there for it."""
    assert rule in {violation.rule for violation in check(lie())}


def test_each_rule_catches_a_lie() -> None:
    """There is no rule of which nobody knows whether it works."""
    assert {rule for rule, _ in LIES} == set(RULES)


@pytest.mark.parametrize("reaches", [PAYMENT_REACHES, ORDER_REACHES])
def test_nothing_leaves_an_end(reaches: dict[str, frozenset[str]]) -> None:
    """FAILED, CANCELLED and REFUNDED stay so; SUCCESS and COMPLETED are left by refunds alone."""
    refunds = {"PARTIALLY_REFUNDED", "REFUNDED"}

    for end in ("FAILED", "CANCELLED", "REFUNDED"):
        assert reaches[end] == {end}
    for good in {"COMPLETED", "PARTIALLY_COMPLETED", "SUCCESS"} & set(reaches):
        assert reaches[good] == {good} | refunds


def test_a_saved_history_is_the_same(tmp_path: Path) -> None:
    """What a run saved is judged the same when it is read again."""
    save(with_events(read(1, 8.0, "FAILED")), tmp_path / "history.jsonl")
    again = load(tmp_path / "history.jsonl")

    assert again == replace(truth(), events=[*truth().events, read(1, 8.0, "FAILED")])
    assert {violation.rule for violation in check(again)} == {
        "no answer is taken back",
        "what was told is what is stored",
    }
