"""What a webhook's body holds, whatever it holds."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway import webhook_body
from psp_gateway.domain.errors import UnreadableWebhook
from tests.unit.psp_gateway.any_json import json_values


def test_no_number_becomes_a_float() -> None:
    """A number with a fraction or an exponent stays the text that it was."""
    assert webhook_body.parse(b'{"a":1.10,"b":1e999,"c":12}') == {
        "a": "1.10",
        "b": "1e999",
        "c": 12,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
        '{"a":1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
    ],
)
def test_no_json_object(body: bytes) -> None:
    """All that is no JSON object in UTF-8 is refused in one way."""
    with pytest.raises(UnreadableWebhook):
        webhook_body.parse(body)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("pi_1", "pi_1"),
        ("é\\:/", "é\\:/"),
        ("x" * 255, "x" * 255),
        ("x" * 256, ""),
        ("a\x00", ""),
        ("a\nb", ""),
        ("\x7f", ""),
        ("\ud800", ""),
        (7, ""),
        (True, ""),
        (None, ""),
        (["x"], ""),
    ],
)
def test_text(found: Any, expected: str) -> None:
    """A text is one that any database stores and any log shows; else it is empty."""
    assert webhook_body.text({"a": [{"b": found}]}, "a", 0, "b") == expected


def test_required() -> None:
    """A text that must be there is named when it is not, and its content is not repeated."""
    assert webhook_body.required({"a": {"b": "x"}}, "a", "b") == "x"
    with pytest.raises(UnreadableWebhook, match=r"a\.b is missing") as refused:
        webhook_body.required({"a": {"b": "secret\x00"}}, "a", "b")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2017-03-30T20:04:05Z", datetime(2017, 3, 30, 20, 4, 5, tzinfo=UTC)),
        ("2017-03-30T20:04:05+02:00", datetime(2017, 3, 30, 18, 4, 5, tzinfo=UTC)),
        ("2017-03-30T20:04:05.613Z", datetime(2017, 3, 30, 20, 4, 5, 613000, tzinfo=UTC)),
        ("2017-03-30T20:04:05", None),
        ("2017-03-30", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_from_iso(written: str, expected: datetime | None) -> None:
    """A time is one that names its offset, and exists in UTC."""
    assert webhook_body.from_iso(written) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1533204620, datetime(2018, 8, 2, 10, 10, 20, tzinfo=UTC)),
        (-1, None),
        (10**11, datetime(5138, 11, 16, 9, 46, 40, tzinfo=UTC)),
        (10**12, None),
        (10**100, None),
        (True, None),
        ("1533204620", None),
    ],
)
def test_from_seconds(seconds: Any, expected: datetime | None) -> None:
    """Seconds since 1970 are whole, and of a year with four digits."""
    assert webhook_body.from_seconds(seconds) == expected


def test_attempt_id() -> None:
    """The first that is ours is taken, whole."""
    assert webhook_body.attempt_id("", "pay_1", "att_1", "att_2") == "att_1"
    assert webhook_body.attempt_id("xatt_1", "att_1x!", "att_1\n", "att_" + "a" * 61) == ""


@given(json_values, st.lists(st.text(max_size=8) | st.integers(0, 3), max_size=4))
def test_inside_anything(content: Any, path: list[str | int]) -> None:
    """Any path through anything ends at something or nothing."""
    found = webhook_body.inside(content, *path)

    assert webhook_body.text(content, *path) in (found, "")
