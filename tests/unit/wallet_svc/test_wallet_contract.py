"""What the code says is what the protos say: reasons, enums."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from paymesh.wallet.v1 import comparison_pb2, error_reason_pb2, wallet_pb2

from wallet_svc import messages
from wallet_svc.domain import errors
from wallet_svc.domain.comparison import Verdict
from wallet_svc.domain.hold import HoldStatus
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallet import AccountType, Changed, WalletStatus, parse_credit_limit


def _tells_a_reason(kind: object) -> bool:
    """Tell whether it is a refusal with a reason of its own."""
    return (
        isinstance(kind, type) and issubclass(kind, errors.Refusal) and kind is not errors.Refusal
    )


def test_reasons_are_those_of_the_proto() -> None:
    """Each reason of the proto has one class, and no class has a reason of its own."""
    told = [kind for kind in vars(errors).values() if _tells_a_reason(kind)]
    reasons = [kind.reason for kind in told]
    names = error_reason_pb2.WalletError.Reason.keys()

    assert sorted(["REASON_UNSPECIFIED", *reasons]) == sorted(names)


@pytest.mark.parametrize(
    ("table", "kind", "wire"),
    [
        (messages.KINDS, Kind, wallet_pb2.Operation.Kind),
        (messages.STATUSES, WalletStatus, wallet_pb2.Wallet.Status),
        (messages.TYPES, AccountType, wallet_pb2.Wallet.AccountType),
        (messages.HOLD_STATUSES, HoldStatus, wallet_pb2.Hold.Status),
        (messages.CHANGED, Changed, wallet_pb2.WalletChange.What),
        (messages.VERDICTS, Verdict, comparison_pb2.WalletDifference.Verdict),
    ],
)
def test_enums_are_mapped_whole(table: dict[StrEnum, int], kind: type[StrEnum], wire: Any) -> None:
    """Every value of either side has exactly one counterpart of the same name."""
    assert list(table) == list(kind)
    assert sorted(table.values()) == sorted(set(wire.values()) - {0})
    assert [wire.Name(value) for value in table.values()] == [value.name for value in table]


@pytest.mark.parametrize(("text", "limit"), [("0", "0"), ("0.00", "0"), ("5.5", "5.5")])
def test_a_credit_limit_is_a_decimal_of_at_least_zero(text: str, limit: str) -> None:
    """Zero is one."""
    assert parse_credit_limit(text, "USD") == Decimal(limit)


@pytest.mark.parametrize("text", ["", ".", "-1", "0.000", "00", "1e3", "5.001", "9" * 16])
def test_what_is_no_credit_limit_is_refused(text: str) -> None:
    """Signs, exponents, too many digits."""
    with pytest.raises(errors.InvalidAmount):
        parse_credit_limit(text, "USD")
