"""Keep what the books were at the end of a closed month, and let months before it be archived.

Archiving is the owner's: `archive_until` detaches the tables of the months that a checkpoint
covers, and `restore_from` attaches those that are back. PostgreSQL alone, as the months are.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = """
CREATE TABLE checkpoints (
    number bigint CONSTRAINT checkpoints_number PRIMARY KEY,
    until timestamptz NOT NULL CONSTRAINT checkpoints_until UNIQUE,
    made_at timestamptz NOT NULL,
    heads jsonb NOT NULL,
    transaction_count bigint NOT NULL,
    entry_count bigint NOT NULL,
    effective_until timestamptz NOT NULL,
    balances_hash bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE checkpoint_balances (
    account_key bigint NOT NULL,
    number bigint NOT NULL,
    balance numeric(19,4) NOT NULL,
    entry_count bigint NOT NULL,
    CONSTRAINT checkpoint_balances_account PRIMARY KEY (account_key, number)
);
CREATE INDEX checkpoint_balances_number ON checkpoint_balances (number, account_key);
CREATE TABLE archives (
    part text CONSTRAINT archives_part PRIMARY KEY,
    parent text NOT NULL,
    lower_id uuid,
    upper_id uuid NOT NULL,
    until timestamptz NOT NULL,
    archived_at timestamptz NOT NULL
);
CREATE INDEX archives_until ON archives (until);
"""

# A part's bounds, as PostgreSQL writes them: FOR VALUES FROM (MINVALUE) TO ('0199…').
_ARCHIVE = """
CREATE FUNCTION archive_until(moment timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, {schema} SET lock_timeout = '2s' AS $$
DECLARE
    bound uuid := first_transaction_id(moment);
    found record;
BEGIN
    IF NOT EXISTS (SELECT FROM checkpoints WHERE until = moment) THEN
        RAISE 'no checkpoint ends at %; close the month first', moment;
    END IF;
    IF EXISTS (
        SELECT FROM open_pendings o JOIN claims c ON c.reference = o.reference
        WHERE c.transaction_id < bound
    ) THEN
        RAISE 'a transaction written before % is pending still; resolve it first', moment;
    END IF;
    FOR found IN
        SELECT * FROM (
            SELECT parent.relname AS parent, part.relname AS part,
                substring(pg_get_expr(part.relpartbound, part.oid)
                    FROM 'FROM \\(''([^'']+)''\\)')::uuid AS lower_id,
                substring(pg_get_expr(part.relpartbound, part.oid)
                    FROM 'TO \\(''([^'']+)''\\)')::uuid AS upper_id
            FROM pg_inherits
                JOIN pg_class part ON part.oid = inhrelid
                JOIN pg_class parent ON parent.oid = inhparent
            WHERE inhparent IN ('transactions'::regclass, 'entries'::regclass)
        ) AS parts
        WHERE upper_id <= bound ORDER BY upper_id, parent
    LOOP
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', found.parent, found.part);
        INSERT INTO archives VALUES (
            found.part, found.parent, found.lower_id, found.upper_id,
            to_timestamp(('x' || lpad(left(replace(found.upper_id::text, '-', ''), 12), 16, '0'))
                ::bit(64)::bigint / 1000.0),
            now()
        );
        RETURN NEXT found.part;
    END LOOP;
END
$$
"""

_RESTORE = """
CREATE FUNCTION restore_from(moment timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, {schema} SET lock_timeout = '2s' AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT * FROM archives WHERE upper_id > first_transaction_id(moment)
        ORDER BY upper_id DESC, parent
    LOOP
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%L)',
            found.parent, found.part,
            coalesce(quote_literal(found.lower_id), 'MINVALUE'), found.upper_id
        );
        DELETE FROM archives WHERE part = found.part;
        RETURN NEXT found.part;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    """Make the tables, and the owner's two functions."""
    bind = op.get_bind()
    app_role = op.get_context().opts["app_role"]
    for statement in _TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT ON checkpoints, checkpoint_balances TO "{app_role}"')
    op.execute(f'GRANT SELECT ON archives TO "{app_role}"')
    if "CockroachDB" in bind.exec_driver_sql("SELECT version()").scalar_one():
        return
    schema = bind.exec_driver_sql("SELECT current_schema()").scalar_one()
    for name, function in (("archive_until", _ARCHIVE), ("restore_from", _RESTORE)):
        bind.exec_driver_sql(function.replace("{schema}", schema).replace("%", "%%"))
        op.execute(f"REVOKE ALL ON FUNCTION {name}(timestamptz) FROM PUBLIC")
