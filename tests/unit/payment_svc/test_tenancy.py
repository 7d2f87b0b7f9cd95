"""What belongs to one client is named and bound so that it cannot be another's."""

from hypothesis import given
from hypothesis import strategies as st

from payment_svc.domain.books import seller_account

CLIENTS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
SELLERS = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)


@given(one=st.tuples(CLIENTS, SELLERS), other=st.tuples(CLIENTS, SELLERS))
def test_two_clients_sellers_have_two_wallets(one: tuple[str, str], other: tuple[str, str]) -> None:
    """No seller's name of one client makes a wallet of another's."""
    assert (seller_account(*one, "EUR") == seller_account(*other, "EUR")) == (one == other)
