"""What a log shows: one line an event, and nothing that its type forbids."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from paymesh.payment.v1 import payment_service_pb2 as service

from chassis.errors import NotFound
from chassis.telemetry import configure_logging, logger
from privacy.masked import Personal, Secret
from privacy.shown import described, escaped, shown, traced
from tests.servers import PostgresServer

CANARY = "canary@example.com"


@dataclass(frozen=True)
class Plain:
    """An object of ours that masks nothing itself."""

    email: str


class Word(StrEnum):
    """A word."""

    ONE = "one"


@given(text=st.text())
def test_a_text_is_one_line_that_moves_no_cursor(text: str) -> None:
    """No line break of any kind, no control character, no change of direction is left."""
    line = escaped(text)

    assert len(line.splitlines()) <= 1
    assert not [c for c in line if c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029\u202e"]


@pytest.mark.parametrize(
    "value",
    [Secret(CANARY), Personal(CANARY), Plain(CANARY), CANARY.encode(), ValueError(CANARY),
     KeyError(CANARY), OSError(2, "gone", CANARY), object(), "4242 4242-4242 4242",
     service.CreatePaymentRequest(checkout_id=CANARY), [Secret(CANARY)], {"a": Plain(CANARY)},
     {"4242424242424242": 1}, psycopg.errors.UniqueViolation(CANARY)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_nothing_is_shown_that_its_type_forbids(value: object) -> None:
    """Masked values, messages, objects, bytes, card numbers and what strange errors say."""
    written = repr(shown(value))

    assert CANARY not in written
    assert "4242" not in written


def test_what_is_harmless_is_shown() -> None:
    """Numbers, texts, moments and collections of these are told as they are."""
    now = datetime(2026, 1, 2, tzinfo=UTC)

    assert shown([1, 2.5, True, None, "a", Word.ONE]) == [1, 2.5, True, None, "a", "one"]
    assert shown({"at": now, "amount": Decimal("1.20")}) == {"at": str(now), "amount": "1.20"}


def test_an_error_of_ours_says_what_is_wrong() -> None:
    """What is written for callers is shown; of others the kind, and what a name says."""
    assert described(NotFound("There is no a.\n"), (NotFound,)) == "NotFound: There is no a.\\n"
    assert described(NotFound("There is no a.")) == "NotFound"
    assert described(AttributeError("no attribute 'x'")) == "AttributeError: no attribute 'x'"
    assert described(ConnectionRefusedError(111, "refused")) == "ConnectionRefusedError (refused)"


def test_a_traceback_tells_places_and_no_values() -> None:
    """Each cause is there with file and line; no local, no argument, no message of a stranger."""
    token = CANARY
    try:
        try:
            int(token)
        except ValueError as error:
            raise KeyError(token) from error
    except KeyError as error:
        told = traced(error)

    assert CANARY not in told
    assert told.count("privacy/test_shown.py:") == 2
    assert told.startswith("KeyError\n")
    assert "because of\nValueError\n" in told


def test_what_a_database_says_of_a_row_is_not_told(postgres: PostgresServer) -> None:
    """Of a refused row the state and the constraint are told, not the row."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (email text CONSTRAINT one PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (%s)", [CANARY])
        with pytest.raises(psycopg.Error) as refused:
            connection.execute("INSERT INTO t VALUES (%s)", [CANARY])

    assert CANARY in str(refused.value)
    assert described(refused.value) == "UniqueViolation (23505, one)"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as a service does, and read what was logged; put everything back."""
    root, hook, config = logging.getLogger(), sys.excepthook, structlog.get_config()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("test", "info")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, sys.excepthook = handlers, level, hook


Told = Callable[[], list[dict[str, Any]]]


def test_each_event_is_one_line_whatever_it_holds(told: Told) -> None:
    """A name with line breaks and escapes forges no second event."""
    forged = 'a\n{"event": "paid"}\r\n\x1b[2J\u2028\x85\x00\ud800'

    logger().warning(forged, reason=forged, payment_ids=[forged], email=CANARY)

    (event,) = told()
    assert event["reason"] == event["event"] == event["payment_ids"][0]
    assert "\n" not in event["reason"]
    assert "\x1b" not in event["reason"]
    assert "email" not in event


def test_what_libraries_and_crashes_say_is_told_alike(told: Told) -> None:
    """The standard library's logs and an uncaught error are events too, without their values."""
    logging.getLogger("library").error("lost %s\nTask %s", CANARY, CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        logging.getLogger("library").warning("odd", exc_info=True)
        sys.excepthook(type(error), error, error.__traceback__)

    events = told()
    assert [one["event"] for one in events] == ["library", "library", "crashed"]
    assert events[0]["reason"] == "lost %s"
    assert "ValueError\n" in events[1]["exception"]
    assert CANARY not in json.dumps(events)
