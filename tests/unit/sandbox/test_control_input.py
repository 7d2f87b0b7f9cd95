"""What `/control` accepts."""

import json

import pytest

from devstack.sandbox.control_input import (
    BadControl,
    RecordQuery,
    read_advance,
    read_fault,
    read_switch,
)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'"x"', b"{", b"{}",
        b'{"kind": "explode"}',
        b'{"kind": ["slow"]}',
        b'{"kind": "slow"}',
        b'{"kind": "slow", "delay_ms": 0}',
        b'{"kind": "slow", "delay_ms": "5"}',
        b'{"kind": "error_before", "delay_ms": 5}',
        b'{"kind": "error_before", "times": 0}',
        b'{"kind": "error_before", "times": true}',
        b'{"kind": "error_before", "probability": 0}',
        b'{"kind": "error_before", "probability": 1.5}',
        b'{"kind": "error_before", "probability": NaN}',
        b'{"kind": "error_before", "skip": -1}',
        b'{"kind": "error_before", "tims": 1}',
        b'{"kind": "error_before", "cached": 1}',
        b'{"kind": "error_before", "match": []}',
        b'{"kind": "error_before", "match": {"op": "x"}}',
        b'{"kind": "error_before", "match": {"operation": 1}}',
        b'{"kind": "error_before", "match": {"metadata": {"a": 1}}}',
        b'{"kind": "rate_limit", "retry_after_s": -1}',
        b'{"kind": "wrong_amount", "off_by": 0}',
        b'{"kind": "charge_then_timeout", "hold_s": -1}',
    ],
)  # fmt: skip
def test_bad_faults_are_refused(body: bytes) -> None:
    """A slip in a fault is told."""
    with pytest.raises(BadControl):
        read_fault(body, 1)


def test_a_whole_fault_is_read() -> None:
    """Every field arrives."""
    body = {
        "kind": "rate_limit", "times": 3, "probability": 0.5, "skip": 2, "retry_after_s": 7,
        "match": {"psp": "stripe", "operation": "create", "metadata": {"payment_id": "pay_1"}},
    }  # fmt: skip
    fault = read_fault(json.dumps(body).encode(), 4)

    assert (fault.number, fault.kind, fault.times, fault.probability) == (4, "rate_limit", 3, 0.5)
    assert (fault.skip, fault.retry_after_s) == (2, 7)
    assert (fault.psp, fault.operation) == ("stripe", "create")
    assert fault.metadata == {"payment_id": "pay_1"}


def test_how_often_by_default() -> None:
    """A fault strikes once; one with a probability as often as it falls."""
    assert read_fault(b'{"kind": "malformed"}', 1).times == 1
    assert read_fault(b'{"kind": "malformed", "probability": 0.1}', 1).times is None


@pytest.mark.parametrize("value", ["0", "-5", '"5"', "true", "null", "Infinity"])
def test_the_clock_moves_forward_only(value: str) -> None:
    """A step is a number above zero."""
    with pytest.raises(BadControl):
        read_advance(b'{"advance_s": ' + value.encode() + b"}")
    assert read_advance(b'{"advance_s": 90000}') == 90_000.0


def test_switches_are_booleans() -> None:
    """A switch is true or false, and nothing like it."""
    assert read_switch(b'{"dark": true}', "dark") is True
    for body in (b'{"dark": 1}', b'{"dark": "true"}', b"{}", b'{"dork": true}'):
        with pytest.raises(BadControl):
            read_switch(body, "dark")


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "10001"}, {"after": "-1"}, {"x": "1"}, {"metadata.": "1"}]
)
def test_bad_queries_are_refused(query: dict[str, str]) -> None:
    """A parameter unknown or out of range is told."""
    with pytest.raises(BadControl):
        RecordQuery(query)


def test_queries_choose_money_by_default() -> None:
    """Bookkeeping lines show only when asked for."""
    assert "created" not in (RecordQuery({}).kinds or ())
    assert RecordQuery({"kind": "created"}).kinds == frozenset({"created"})
    assert RecordQuery({"kind": "all"}).kinds is None
    assert RecordQuery({"metadata.payment_id": "pay_1"}).metadata == {"payment_id": "pay_1"}
