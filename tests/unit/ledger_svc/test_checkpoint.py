"""What a checkpoint says, held against what was seen up to its end."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ledger_svc.domain.checkpoint import next_checkpoint, standing_offences
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.held_accounts import AccountNow, HeldAccounts
from ledger_svc.domain.verification import OffenceKind, Verifier
from tests.unit.ledger_svc.builders import NOW, books, posting

_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
UNTIL = NOW + _DAY


def seen(effective_at: datetime | None = None) -> Verifier:
    """Walk one transaction, written at `NOW`."""
    held = books()
    decide(held, [replace(posting("a", "1.00"), effective_at=effective_at)])
    verifier = Verifier(
        HeldAccounts({a.account_id: AccountNow(a.type, s) for a, s in held.changed})
    )
    assert verifier.take(held.written[0]) == []
    return verifier


@pytest.mark.parametrize(
    ("effective_at", "last"),
    [
        (None, UNTIL - _TICK),
        (UNTIL - _TICK, UNTIL - _TICK),
        (UNTIL, UNTIL),
        (UNTIL + _DAY, UNTIL + _DAY),
    ],
)
def test_it_says_until_when_what_it_covers_takes_effect(
    effective_at: datetime | None, last: datetime
) -> None:
    """Up to the last moment before its end, or later; another time is an offence."""
    verifier = seen(effective_at)
    made = next_checkpoint(None, verifier, b"", UNTIL, UNTIL)

    assert made.effective_until == last
    assert list(standing_offences(made, verifier, b"")) == []
    for wrong in (last - 2 * _DAY, last + _DAY):
        (found,) = standing_offences(replace(made, effective_until=wrong), verifier, b"")
        assert found.kind is OffenceKind.WRONG_CHECKPOINT


def test_one_of_an_older_version_says_its_end() -> None:
    """Where nothing takes effect later."""
    made = next_checkpoint(None, seen(), b"", UNTIL, UNTIL)

    assert list(standing_offences(replace(made, effective_until=UNTIL), seen(), b"")) == []
