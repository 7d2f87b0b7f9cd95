"""What the code says is what the protos say: reasons, enums, pages."""

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.wallet.v1 import error_reason_pb2, wallet_pb2

from chassis.errors import InvalidRequest
from wallet_svc import servicer
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.page_token import read_token, write_token
from wallet_svc.domain.wallet import WalletStatus


def test_reasons_are_those_of_the_proto() -> None:
    """Each reason of the proto has one class, and no class has a reason of its own."""
    reasons = [kind.reason for kind in errors.Refusal.__subclasses__()]
    names = error_reason_pb2.WalletError.Reason.keys()

    assert sorted(["REASON_UNSPECIFIED", *reasons]) == sorted(names)


@pytest.mark.parametrize(
    ("table", "kind", "wire"),
    [
        (servicer.KINDS, Kind, wallet_pb2.Operation.Kind),
        (servicer.STATUSES, WalletStatus, wallet_pb2.Wallet.Status),
    ],
)
def test_enums_are_mapped_whole(table: dict[StrEnum, int], kind: type[StrEnum], wire: Any) -> None:
    """Every value of either side has exactly one counterpart of the same name."""
    assert list(table) == list(kind)
    assert sorted(table.values()) == sorted(set(wire.values()) - {0})
    assert [wire.Name(value) for value in table.values()] == [value.name for value in table]


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
