"""What the code says is what the protos say: reasons, enums."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from paymesh.ledger.v1 import error_reason_pb2, ledger_pb2, report_pb2

from chassis.errors import FailedPrecondition
from ledger_svc import messages, verification_messages
from ledger_svc.domain import errors
from ledger_svc.domain.account import AccountStatus, AccountType, NewAccount, Side
from ledger_svc.domain.templates.errors import TemplateMismatch
from ledger_svc.domain.transaction import Kind
from ledger_svc.domain.verification import OffenceKind


def _tells_a_reason(kind: object) -> bool:
    """Tell whether it is a refusal of an item, or an error of an RPC, with a reason of its own."""
    return (
        isinstance(kind, type)
        and issubclass(kind, FailedPrecondition)
        and kind not in (FailedPrecondition, errors.Refusal)
    )


def test_reasons_are_those_of_the_proto() -> None:
    """Each reason of the proto has one class, and no class has a reason of its own."""
    told = [kind for kind in [*vars(errors).values(), TemplateMismatch] if _tells_a_reason(kind)]
    reasons = [kind.reason for kind in told]
    names = error_reason_pb2.LedgerError.Reason.keys()

    assert sorted(["REASON_UNSPECIFIED", *reasons]) == sorted(names)


@pytest.mark.parametrize(
    ("table", "kind", "wire", "prefix"),
    [
        (messages.SIDES, Side, ledger_pb2.Side, "SIDE_"),
        (messages.TYPES, AccountType, ledger_pb2.Account.Type, ""),
        (messages.STATUSES, AccountStatus, ledger_pb2.Account.Status, ""),
        (messages.KINDS, Kind, ledger_pb2.Transaction.Kind, ""),
        (verification_messages.OFFENCES, OffenceKind, report_pb2.Offence.Kind, ""),
    ],
)
def test_enums_are_mapped_whole(
    table: dict[StrEnum, int],
    kind: type[StrEnum],
    wire: Any,
    prefix: str,
) -> None:
    """Every value of either side has exactly one counterpart of the same name."""
    assert list(table) == list(kind)
    assert sorted(table.values()) == sorted(set(wire.values()) - {0})
    assert [wire.Name(value) for value in table.values()] == [prefix + value for value in table]


@pytest.mark.parametrize("floor", ["0", "-100.00", "-12.5", "0.00"])
def test_floors_that_are_decimals_are_read(floor: str) -> None:
    """A floor may be zero or below."""
    parsed = NewAccount.parse("x", AccountType.ASSET, "USD", floor=floor)

    assert parsed.floor is not None
    assert parsed.floor.amount == Decimal(floor)


@pytest.mark.parametrize("floor", ["", "+1", "1e3", "NaN", "1.001", "01", " 1", "١", "-", "1" * 16])
def test_floors_that_are_no_decimals_are_refused(floor: str) -> None:
    """Anything but a plain decimal of the currency is INVALID_AMOUNT."""
    with pytest.raises(errors.InvalidAmount) as refusal:
        NewAccount.parse("x", AccountType.ASSET, "USD", floor=floor)

    assert refusal.value.metadata == {"field": "floor"}
