"""What the code says is what the protos say: reasons, enums, pages."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.wallet.v1 import comparison_pb2, error_reason_pb2, wallet_pb2

from chassis.errors import InvalidRequest
from wallet_svc import messages
from wallet_svc.domain import errors
from wallet_svc.domain.comparison import Verdict
from wallet_svc.domain.hold import HoldStatus
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.page_token import read_token, write_token
from wallet_svc.domain.wallet import AccountType, Changed, WalletStatus, parse_credit_limit


def test_reasons_are_those_of_the_proto() -> None:
    """Each reason of the proto has one class, and no class has a reason of its own."""
    reasons = [kind.reason for kind in errors.Refusal.__subclasses__()]
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


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(
    filters=st.lists(texts, max_size=3),
    name=st.from_regex(r"[A-Za-z0-9_.:-]{1,200}", fullmatch=True),
    sequence=st.integers(),
)
def test_a_page_token_reads_as_it_was_written(filters: list[str], name: str, sequence: int) -> None:
    """A position survives the token that carries it."""
    token = write_token(filters, [name, sequence])

    assert read_token(filters, token, [str, int]) == [name, sequence]


@given(filters=st.lists(texts, max_size=3), others=st.lists(texts, max_size=3))
def test_a_page_token_is_bound_to_its_filters(filters: list[str], others: list[str]) -> None:
    """A token read with other filters is refused."""
    token = write_token(filters, [1])

    if filters != others:
        with pytest.raises(InvalidRequest, match="other filters"):
            read_token(others, token, [int])


@given(token=st.one_of(st.text(min_size=1), st.binary(min_size=1).map(lambda b: b.hex())))
def test_a_foreign_page_token_is_refused(token: str) -> None:
    """Whatever else is sent as a token is INVALID_ARGUMENT, never a crash."""
    with pytest.raises(InvalidRequest):
        read_token([], token, [int])


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\n"])
def test_a_page_token_holds_only_what_can_be_asked_for(text: str) -> None:
    """A forged position that PostgreSQL might not take is refused."""
    with pytest.raises(InvalidRequest):
        read_token([], write_token([], [text, 1]), [str, int])
