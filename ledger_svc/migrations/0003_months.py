"""Cut transactions and entries by month, so that a closed month can be archived as a table.

PostgreSQL alone: on CockroachDB, which spreads tables by itself, this does nothing. What is there
becomes the first partition, up to the end of this month.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_MONTHS_AHEAD = 12

# Tables with their keys, whose names the parent takes over from what becomes its first partition.
_KEYS = {
    "transactions": ("transactions_transaction_id", "transaction_id"),
    "entries": ("entries_account", "account_key, transaction_id, line"),
}
_INDEXES = {
    "transactions": {
        "transactions_subject_id": "INDEX {} ON {} (subject_id, transaction_id)",
        "transactions_reverses_reference": "INDEX {} ON {} (reverses_reference)"
        " WHERE reverses_reference IS NOT NULL",
    },
    "entries": {"entries_transaction_id": "UNIQUE INDEX {} ON {} (transaction_id, line)"},
}

# The lowest id of a time: 48 bits of milliseconds, version 8, variant 10 (see domain/chain.py).
_FIRST_ID = """
CREATE FUNCTION first_transaction_id(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
        || '8000' || '8000' || '000000000000')::uuid
$$
"""

# The app role may not create tables; it may have the months ahead made, and nothing else.
_PREPARE = """
CREATE FUNCTION prepare_months(months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema} SET lock_timeout = '2s' AS $$
DECLARE
    start timestamp;
    parent text;
    part text;
    made int := 0;
BEGIN
    FOR ahead IN 1..months LOOP
        start := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
        FOREACH parent IN ARRAY ARRAY['transactions', 'entries'] LOOP
            part := parent || to_char(start, '_YYYY_MM');
            IF to_regclass('{schema}.' || part) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE {schema}.%I PARTITION OF {schema}.%I'
                        ' FOR VALUES FROM (%L) TO (%L)',
                    part, parent,
                    {schema}.first_transaction_id(start AT TIME ZONE 'UTC'),
                    {schema}.first_transaction_id((start + interval '1 month') AT TIME ZONE 'UTC')
                );
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$
"""


def upgrade() -> None:
    """Cut the tables, make a year of months, and let the app role have more made."""
    bind = op.get_bind()
    if "CockroachDB" in bind.exec_driver_sql("SELECT version()").scalar_one():
        return
    app_role = op.get_context().opts["app_role"]
    schema = bind.exec_driver_sql("SELECT current_schema()").scalar_one()
    op.execute(_FIRST_ID)
    for table in _KEYS:
        _cut(table, app_role)
    op.execute(_PREPARE.replace("{schema}", schema))
    op.execute("REVOKE ALL ON FUNCTION prepare_months(int) FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION prepare_months(int) TO "{app_role}"')
    op.execute(f"SELECT prepare_months({_MONTHS_AHEAD})")


def _cut(table: str, app_role: str) -> None:
    first = f"{table}_first"
    key, columns = _KEYS[table]
    op.execute(f"ALTER TABLE {table} RENAME TO {first}")
    op.execute(f"ALTER TABLE {first} RENAME CONSTRAINT {key} TO {first}_key")
    for name in _INDEXES[table]:
        op.execute(f"ALTER INDEX {name} RENAME TO {name}_first")
    op.execute(
        f"CREATE TABLE {table} (LIKE {first} INCLUDING CONSTRAINTS)"
        " PARTITION BY RANGE (transaction_id)"
    )
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {key} PRIMARY KEY ({columns})")
    for name, definition in _INDEXES[table].items():
        op.execute(f"CREATE {definition.format(name, table)}")
    bound = op.get_bind().exec_driver_sql(
        "SELECT first_transaction_id((date_trunc('month', now() AT TIME ZONE 'UTC')"
        " + interval '1 month') AT TIME ZONE 'UTC')"
    )
    op.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {first}"
        f" FOR VALUES FROM (MINVALUE) TO ('{bound.scalar_one()}')"
    )
    op.execute(f'REVOKE ALL ON {first} FROM "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON {table} TO "{app_role}"')
