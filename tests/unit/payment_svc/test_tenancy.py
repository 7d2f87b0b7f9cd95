"""What belongs to one client is named and bound so that it cannot be another's."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from payment_svc.domain.books import seller_account
from payment_svc.domain.page_token import read_token, write_token

CLIENTS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
SELLERS = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)
FILTERS = st.lists(st.text(max_size=8), min_size=1, max_size=4)


@given(one=st.tuples(CLIENTS, SELLERS), other=st.tuples(CLIENTS, SELLERS))
def test_two_clients_sellers_have_two_wallets(one: tuple[str, str], other: tuple[str, str]) -> None:
    """No seller's name of one client makes a wallet of another's."""
    assert (seller_account(*one, "EUR") == seller_account(*other, "EUR")) == (one == other)


@given(mine=FILTERS, yours=FILTERS, place=st.text(st.characters(codec="ascii"), min_size=1))
def test_a_page_token_is_read_with_its_own_filters_alone(
    mine: list[str], yours: list[str], place: str
) -> None:
    """Another client's list, or another filter, does not take it."""
    assume(mine != yours)
    assume(place.isprintable())
    token = write_token(mine, [place, 7])

    assert read_token(mine, token, [str, int]) == [place, 7]
    with pytest.raises(InvalidRequest, match="other filters"):
        read_token(yours, token, [str, int])
