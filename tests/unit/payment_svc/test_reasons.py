"""Classes of reasons: few, whatever a reason says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_svc.sagas.reasons import CLASSES, reason_class


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("", "NONE"),
        ("NOT_DUE", "NOT_DUE"),
        ("refused: WALLET_FROZEN", "REFUSED"),
        ("ExecuteCharge: UNAVAILABLE", "SERVICE_TROUBLE"),
        ("ReverseCredits: DEADLINE_EXCEEDED", "SERVICE_TROUBLE"),
        ("POISON: ValueError", "POISON"),
        ("WALK_FAILED: KeyError", "WALK_FAILED"),
        ("UNDECIPHERABLE: payments.page_encrypted of pay_1 is tampered", "UNDECIPHERABLE"),
        ("DATA_KEY_MISSING: payments.page_encrypted of pay_1 is unknown_key", "DATA_KEY_MISSING"),
        ("UNREADABLE: ValueError", "UNREADABLE"),
        ("INVALID_REQUEST: amount", "INVALID_REQUEST"),
        ("NO_USABLE_ANSWER", "NO_USABLE_ANSWER"),
        ("A_PSP_SAYS_SOMETHING_NEW", "OTHER"),
        ("A_WORD: of nobody", "OTHER"),
    ],
)
def test_a_reason_has_its_class(reason: str, expected: str) -> None:
    """Every way to stand somewhere is told apart by its word."""
    assert reason_class(reason) == expected


@given(st.text(max_size=80))
def test_no_reason_makes_a_class_of_its_own(reason: str) -> None:
    """A metric has as many series as there are classes, and no more."""
    assert reason_class(reason) in CLASSES
