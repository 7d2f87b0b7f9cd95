"""Columns as array literals: PostgreSQL reads back what was written."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookkeeping.arrays import digests, known, plain, some_texts, texts, times
from tests.servers import PostgresServer
from tests.unit.ledger_svc.builders import NOW

TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    | st.sampled_from(('"', "\\", ",", "{", "}", "", "NULL", '","', " ")),
    max_size=6,
)
MOMENTS = st.lists(st.sampled_from((None, NOW, NOW + timedelta(days=1))), max_size=5)


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    """Connect to the server that the run has."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as opened:
        yield opened


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(values=TEXTS, gaps=st.lists(st.booleans(), min_size=6, max_size=6), moments=MOMENTS)
def test_what_is_written_is_read_back(
    connection: psycopg.Connection, values: list[str], gaps: list[bool], moments: list[object]
) -> None:
    """Texts, whatever they hold, with gaps or without, bytes, numbers and times stay the same."""
    some = [None if gap else value for value, gap in zip(values, gaps, strict=False)]
    raw = [value.encode() for value in values]
    row = connection.execute(
        "SELECT %s::text[], %s::text[], %s::bytea[], %s::int[], %s::int[], %s::timestamptz[]",
        [texts(values), some_texts(some), digests(raw), known(range(3)), plain([1, None]),
         times(moments)],
    ).fetchone()  # fmt: skip

    expected = moments if any(moments) else []
    assert row == (values, some, raw, [0, 1, 2], [1, None], expected)


def test_an_empty_column_is_filled_up_with_null(connection: psycopg.Connection) -> None:
    """A column without a value is an empty array beside a full one."""
    rows = connection.execute("SELECT * FROM unnest('{a,b}'::text[], '{}'::text[])").fetchall()

    assert rows == [("a", None), ("b", None)]
