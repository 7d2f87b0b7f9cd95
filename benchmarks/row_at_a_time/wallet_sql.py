"""Small wallets in SQL: unique operation ids, balances, operations, a gapless sequence per wallet.

They are given less to do than the real ones: credits only, no closings, no foreign keys. What they
promise about an operation they keep.
"""

from typing import LiteralString

SCHEMA: tuple[LiteralString, ...] = (
    # Of the references that pgbench makes up.
    "CREATE SEQUENCE bare_numbers START 1000000 CACHE 1000",
    """
    CREATE TABLE wallets (
        wallet_id text PRIMARY KEY,
        currency text NOT NULL,
        pending numeric(19, 4) NOT NULL DEFAULT 0,
        available numeric(19, 4) NOT NULL DEFAULT 0,
        held numeric(19, 4) NOT NULL DEFAULT 0,
        operation_count bigint NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE operations (
        operation_id text PRIMARY KEY,
        wallet_id text NOT NULL,
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        subject_id text NOT NULL,
        pending_after numeric(19, 4) NOT NULL,
        available_after numeric(19, 4) NOT NULL,
        held_after numeric(19, 4) NOT NULL,
        wallet_sequence bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (wallet_id, wallet_sequence)
    )
    """,
    """
    CREATE FUNCTION credit_row(
        p_operation_id text, p_wallet_id text, p_amount numeric, p_currency text, p_subject_id text,
        OUT o_replayed boolean, OUT o_row operations
    ) LANGUAGE plpgsql AS $$
    DECLARE
        wallet wallets;
    BEGIN
        SELECT * INTO STRICT wallet FROM wallets
            WHERE wallet_id = p_wallet_id AND currency = p_currency FOR NO KEY UPDATE;
        INSERT INTO operations (operation_id, wallet_id, amount, currency, subject_id,
                pending_after, available_after, held_after, wallet_sequence)
            VALUES (p_operation_id, p_wallet_id, p_amount, p_currency, p_subject_id,
                wallet.pending + p_amount, wallet.available, wallet.held,
                wallet.operation_count + 1)
            ON CONFLICT (operation_id) DO NOTHING RETURNING * INTO o_row;
        o_replayed := NOT FOUND;
        IF o_replayed THEN
            SELECT * INTO o_row FROM operations WHERE operation_id = p_operation_id;
            RETURN;
        END IF;
        UPDATE wallets SET pending = pending + p_amount, operation_count = operation_count + 1
            WHERE wallet_id = p_wallet_id;
    END $$
    """,
)

CALL = """
SELECT o_replayed, (o_row).*
FROM credit_row(%s::text, %s::text, %s::numeric, %s::text, %s::text)
"""

# The textbook's way, a statement at a time.
LOCK = "SELECT * FROM wallets WHERE wallet_id = %s AND currency = %s FOR UPDATE"
FIND = "SELECT true AS o_replayed, * FROM operations WHERE operation_id = %s"
INSERT_OPERATION = """
INSERT INTO operations (operation_id, wallet_id, amount, currency, subject_id, pending_after,
    available_after, held_after, wallet_sequence)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING false AS o_replayed, *
"""
UPDATE_WALLET = "UPDATE wallets SET pending = %s, operation_count = %s WHERE wallet_id = %s"

OPEN = """
INSERT INTO wallets (wallet_id, currency)
SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT (wallet_id) DO NOTHING
"""
WALLETS = "SELECT * FROM wallets WHERE wallet_id = ANY(%s::text[])"
