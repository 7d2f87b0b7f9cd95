"""What must be true of the books at any moment, in one cheap read; and digests of all tables."""

from collections.abc import Mapping
from decimal import Decimal

import psycopg
from psycopg import sql

_SUMS = (
    "SELECT currency, sum(CASE WHEN type IN ('ASSET', 'EXPENSE') THEN balance ELSE -balance END)"
    " FROM accounts GROUP BY currency"
)
_UNBALANCED = (
    "SELECT count(*) FROM (SELECT transaction_id FROM entries JOIN accounts USING (account_key)"
    " GROUP BY transaction_id, currency"
    " HAVING sum(CASE WHEN is_debit THEN amount ELSE -amount END) <> 0) AS wrong"
)

# The tables that whoever is connected may read.
READABLE = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, 'SELECT') ORDER BY 1"
)


def ledger_sums(url: str) -> Mapping[str, Decimal]:
    """Sum debits less credits over the whole ledger, by currency: all must be zero, always.

    Raises:
        psycopg.Error: it cannot be read.
    """
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.read_only = True
        return dict(connection.execute(_SUMS).fetchall())


def unbalanced_transactions(url: str) -> int:
    """Count the transactions that do not balance: none may, ever.

    Raises:
        psycopg.Error: it cannot be read.
    """
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.read_only = True
        row = connection.execute(_UNBALANCED).fetchone()
    return int(row[0]) if row else 0


def digest_tables(urls: Mapping[str, str]) -> dict[str, str]:
    """Digest every row of every table of databases, by `database.table`.

    Raises:
        psycopg.Error: one cannot be read.
    """
    digests = {}
    for name, url in urls.items():
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            for (table,) in connection.execute(READABLE).fetchall():
                query = sql.SQL(
                    "SELECT count(*) || ':' || coalesce(md5(string_agg(md5(t::text), ''"
                    " ORDER BY md5(t::text))), '') FROM {} AS t"
                )
                row = connection.execute(query.format(sql.Identifier(table))).fetchone()
                digests[f"{name}.{table}"] = row[0] if row else ""
    return digests
