"""A small ledger in SQL: unique references, balances, entries, a gapless sequence per account.

It is given less to do than the real one: two entries and one currency per transaction, no floors,
no closings, no foreign keys. What it promises about a transaction it keeps.
"""

from typing import LiteralString

SCHEMA: tuple[LiteralString, ...] = (
    # Of the references that pgbench makes up.
    "CREATE SEQUENCE bare_numbers START 1000000 CACHE 1000",
    """
    CREATE TABLE accounts (
        account_id text PRIMARY KEY,
        type text NOT NULL,
        currency text NOT NULL,
        balance numeric(19, 4) NOT NULL DEFAULT 0,
        entry_count bigint NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE transactions (
        transaction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        reference text NOT NULL UNIQUE,
        description text NOT NULL,
        subject_id text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE entries (
        transaction_id bigint NOT NULL,
        line smallint NOT NULL,
        account_id text NOT NULL,
        side text NOT NULL CHECK (side IN ('DEBIT', 'CREDIT')),
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        balance_after numeric(19, 4) NOT NULL,
        account_sequence bigint NOT NULL,
        PRIMARY KEY (transaction_id, line),
        UNIQUE (account_id, account_sequence)
    )
    """,
    # One amount for both sides: the transaction cannot but balance. The accounts are locked in the
    # order of their ids, so that two calls cannot wait for each other.
    """
    CREATE FUNCTION post_row(
        p_reference text, p_description text, p_subject_id text,
        p_debit text, p_credit text, p_amount numeric, p_currency text,
        OUT o_transaction_id bigint, OUT o_created_at timestamptz, OUT o_replayed boolean,
        OUT o_debit_balance numeric, OUT o_debit_sequence bigint,
        OUT o_credit_balance numeric, OUT o_credit_sequence bigint
    ) LANGUAGE plpgsql AS $$
    BEGIN
        o_replayed := false;
        PERFORM 1 FROM accounts WHERE account_id IN (p_debit, p_credit) AND currency = p_currency
            ORDER BY account_id FOR NO KEY UPDATE;
        INSERT INTO transactions (reference, description, subject_id)
            VALUES (p_reference, p_description, p_subject_id)
            ON CONFLICT (reference) DO NOTHING
            RETURNING transaction_id, created_at INTO o_transaction_id, o_created_at;
        IF NOT FOUND THEN
            o_replayed := true;
            SELECT transaction_id, created_at INTO o_transaction_id, o_created_at
                FROM transactions WHERE reference = p_reference;
            RETURN;
        END IF;
        UPDATE accounts SET entry_count = entry_count + 1, balance = balance
                + CASE WHEN type IN ('ASSET', 'EXPENSE') THEN p_amount ELSE -p_amount END
            WHERE account_id = p_debit AND currency = p_currency
            RETURNING balance, entry_count INTO STRICT o_debit_balance, o_debit_sequence;
        UPDATE accounts SET entry_count = entry_count + 1, balance = balance
                + CASE WHEN type IN ('ASSET', 'EXPENSE') THEN -p_amount ELSE p_amount END
            WHERE account_id = p_credit AND currency = p_currency
            RETURNING balance, entry_count INTO STRICT o_credit_balance, o_credit_sequence;
        INSERT INTO entries VALUES
            (o_transaction_id, 1, p_debit, 'DEBIT', p_amount, p_currency,
                o_debit_balance, o_debit_sequence),
            (o_transaction_id, 2, p_credit, 'CREDIT', p_amount, p_currency,
                o_credit_balance, o_credit_sequence);
    END $$
    """,
)

CALL = """
SELECT * FROM post_row(%s::text, %s::text, %s::text, %s::text, %s::text, %s::numeric, %s::text)
"""

# The textbook's way, a statement at a time.
LOCK = """
SELECT account_id, type, balance, entry_count FROM accounts
WHERE account_id = ANY(%s::text[]) AND currency = %s ORDER BY account_id FOR UPDATE
"""
FIND = """
SELECT true AS o_replayed, transaction_id AS o_transaction_id, created_at AS o_created_at
FROM transactions WHERE reference = %s
"""
INSERT_TRANSACTION = """
INSERT INTO transactions (reference, description, subject_id) VALUES (%s, %s, %s)
RETURNING false AS o_replayed, transaction_id AS o_transaction_id, created_at AS o_created_at
"""
INSERT_ENTRY = "INSERT INTO entries VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
UPDATE_ACCOUNT = "UPDATE accounts SET balance = %s, entry_count = %s WHERE account_id = %s"

OPEN = """
INSERT INTO accounts (account_id, type, currency)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT (account_id) DO NOTHING
"""
ACCOUNTS = "SELECT * FROM accounts WHERE account_id = ANY(%s::text[])"
TRIAL_BALANCE = """
SELECT currency, coalesce(sum(amount) FILTER (WHERE side = 'DEBIT'), 0) AS debits,
    coalesce(sum(amount) FILTER (WHERE side = 'CREDIT'), 0) AS credits,
    count(DISTINCT transaction_id) AS transaction_count
FROM entries GROUP BY currency
"""
