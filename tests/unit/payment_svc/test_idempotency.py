"""The fingerprint tells which fields differ, and nothing of what is in them."""

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service

from chassis.errors import InvalidRequest
from chassis.interceptors import read_context
from payment_svc.idempotency import differing, fingerprint, require_key


def request(**order: str) -> service.CreatePaymentRequest:
    """Write a request of one order."""
    return service.CreatePaymentRequest(
        checkout_id="c",
        payment_orders=[payment_pb2.NewPaymentOrder(**{"amount": "1", "currency": "USD", **order})],
    )


@given(st.text(max_size=20), st.text(max_size=20))
def test_only_what_differs_is_named(first: str, second: str) -> None:
    """Two requests differ in a field if and only if its values do."""
    prints = [fingerprint(request(seller_account=s), b"key") for s in (first, second)]

    expected = [] if first == second else ["payment_orders[0].seller_account"]
    assert differing(*prints) == expected


def test_maps_differ_by_their_values() -> None:
    """A value in a map tells requests apart; the order of keys is nothing."""
    one, two, same = Struct(), Struct(), Struct()
    one.update({"a": "1", "b": "x"})
    two.update({"a": "2", "b": "x"})
    same.update({"b": "x", "a": "1"})

    hashes = [fingerprint(each, b"secret") for each in (one, two, same)]

    assert differing(hashes[0], hashes[1]) == ['fields["a"].string_value']
    assert hashes[0] == hashes[2]


def test_values_cannot_be_read_without_the_key() -> None:
    """The same field under another key has another hash, and the value does not show."""
    mine = fingerprint(request(seller_account="secret"), b"one")
    yours = fingerprint(request(seller_account="secret"), b"two")

    assert "secret" not in str(mine)
    assert not set(mine.values()) & set(yours.values())


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_malformed_keys_are_refused(key: str) -> None:
    """A key has 1 to 255 printable ASCII characters."""
    with pytest.raises(InvalidRequest):
        require_key(read_context([("idempotency-key", key)]))


def test_missing_key_is_refused_by_name() -> None:
    """A write without a key is told what is missing."""
    with pytest.raises(InvalidRequest) as raised:
        require_key(read_context([]))

    assert raised.value.violations[0].reason == "IDEMPOTENCY_KEY_MISSING"
