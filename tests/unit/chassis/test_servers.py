"""The test servers themselves."""

import psycopg

from tests.servers import PostgresServer


def test_postgres_is_18(postgres: PostgresServer) -> None:
    """The tests run on the PostgreSQL that the stack embeds."""
    with psycopg.connect(postgres.url("postgres")) as connection:
        row = connection.execute("SHOW server_version_num").fetchone()

    assert row is not None
    assert int(row[0]) // 10_000 == 18
