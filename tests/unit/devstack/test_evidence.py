"""What bears out that an order failed, and what does not."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from devstack.audit.checks.evidence import failed_without_evidence
from devstack.audit.facts import (
    AssessmentFact,
    AttemptFact,
    Facts,
    OrderFact,
    PaymentFact,
    RecordFact,
    SagaFact,
)
from devstack.audit.told import Told

AT = datetime(2026, 1, 1, tzinfo=UTC)
PAYMENT = "pay_1"
OWN, SIBLINGS, WHOLE = "att_11c1", "att_22c1", "att_1c1"


def attempt(attempt_id: str, outcome: str, kind: str = "CHARGE", about: str = "") -> AttemptFact:
    """Write an attempt that was sent."""
    known = (attempt_id, kind, PAYMENT, "stripe", Decimal(1), "EUR", about, outcome)
    return AttemptFact(*known, "ANSWERED", "", "", "")


def line(kind: str, attempt_id: str) -> RecordFact:
    """Write a line of the PSP's record."""
    return RecordFact(1, "stripe", kind, "", "", Decimal(1), "EUR", attempt_id, PAYMENT, None)


def saga(order_id: str | None = None) -> SagaFact:
    """Write a saga that turned round and is over."""
    return SagaFact(
        f"sga_{order_id}", "pay_in", PAYMENT, order_id, "DONE", "charge", "",
        turned_round=True, due_at=None, lease_owner=None, is_overdue=False,
    )  # fmt: skip


def offenders(*known: object, has_record: bool = True) -> list[str]:
    """Judge an order that failed beside one that succeeded, by what is known."""

    def kept(kind: type) -> list[object]:
        return [one for one in known if isinstance(one, kind)]

    orders = [
        OrderFact(f"ord_{number}", PAYMENT, "s", status, Decimal(1), None, "NO_USE")
        for number, status in (("11", "FAILED"), ("22", "SUCCESS"))
    ]
    payment = PaymentFact(
        PAYMENT, "demo", "PARTIALLY_COMPLETED", Decimal(2), "EUR", "KEEP_SUCCESSFUL", None, AT
    )
    none: tuple[object, ...] = ()
    empty = dict.fromkeys(
        ("paths", "keys", "events", "deliveries", "payouts", "inbox", "accounts", "transactions",
         "entries", "wallets", "operations", "limits"),
        none,
    )  # fmt: skip
    facts = Facts(
        read_at=AT, payments={PAYMENT: payment}, orders=orders, sagas=kept(SagaFact),
        attempts=kept(AttemptFact), assessments=kept(AssessmentFact), proof=None,
        record=kept(RecordFact) if has_record else None, **empty,
    )  # fmt: skip
    return [offence.subject.partition(" ")[0] for offence in failed_without_evidence(facts, Told())]


@pytest.mark.parametrize("outcome", ["UNKNOWN", "TRANSIENT", "PENDING", "ACTION_REQUIRED"])
@pytest.mark.parametrize("attempt_id", [OWN, WHOLE])
def test_to_turn_round_is_no_evidence(attempt_id: str, outcome: str) -> None:
    """Neither for a charge of the order's own nor for one of the whole payment."""
    tried = attempt(attempt_id, outcome)

    assert offenders(saga("ord_11"), tried) == [attempt_id]
    assert offenders(saga(), tried) == [attempt_id]
    assert offenders(saga("ord_11"), tried, has_record=False) == [attempt_id]
    assert offenders(saga("ord_11"), tried, line("decline", attempt_id)) == []


def test_a_siblings_doubt_is_its_own() -> None:
    """What was tried for another order says nothing of this one."""
    assert offenders(saga("ord_11"), attempt(OWN, "SUCCEEDED"), attempt(SIBLINGS, "UNKNOWN")) == []


def test_a_siblings_turn_is_its_own() -> None:
    """That another order's saga turned round explains no failure of this one."""
    assert offenders(saga("ord_22"), attempt(OWN, "SUCCEEDED")) == ["ord_11"]


def test_what_was_taken_is_given_back() -> None:
    """A charge that succeeded before a wallet refused it; others check that it went back."""
    assert offenders(saga("ord_11"), attempt(OWN, "SUCCEEDED")) == []


def test_what_nobody_was_asked_for_needs_a_refusal() -> None:
    """Of risk, or of a saga's step before the charge."""
    assert offenders() == ["ord_11"]
    assert offenders(AssessmentFact(PAYMENT, "REFUSED")) == []
    assert offenders(saga("ord_11")) == []


def test_a_psps_word_stands_where_there_is_no_record() -> None:
    """As the gateway keeps it: in production there is no other."""
    declined = attempt(OWN, "DECLINED")

    assert offenders(declined, has_record=False) == []
    assert offenders(declined) == [OWN]


@pytest.mark.parametrize("kind", ["void", "capture_failed", "refused"])
def test_a_capture_is_borne_out_by_what_became_of_its_hold(kind: str) -> None:
    """Its PSP may know it by the hold alone."""
    tried = [attempt(WHOLE, "SUCCEEDED", "AUTHORIZATION")]
    tried += [attempt("att_1k1", "DECLINED", "CAPTURE", WHOLE)]

    assert offenders(saga(), *tried) == ["att_1k1"]
    assert offenders(saga(), *tried, line(kind, WHOLE)) == []


def test_what_came_late_has_evidence_of_its_own() -> None:
    """It is an attempt beside the one that was given up."""
    late = attempt(f"{OWN}l1", "UNKNOWN")

    assert offenders(attempt(OWN, "DECLINED"), line("decline", OWN), late) == []
