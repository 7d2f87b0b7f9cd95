"""What a batch decided, as the columns that its statements take."""

import json
from collections.abc import Sequence
from itertools import chain as joined
from typing import Any

from ledger_svc.arrays import plain, texts, times
from ledger_svc.domain.account import Account, NewAccount, Side, Standing
from ledger_svc.domain.books import Books
from ledger_svc.domain.posting import Line
from ledger_svc.domain.transaction import Kind, Transaction

_ID_DIGITS = len("txn_")


def batch(books: Books) -> dict[str, Any]:
    """Write the parameters of `statements.WRITE`, those of the stream apart."""
    return {
        "at": books.now,
        **_claims(books),
        **_transactions(books.written),
        **_entries(books),
        **_accounts(books.changed),
    }


def pendings(books: Books) -> list[str]:
    """Write the parameters of `statements.WRITE_PENDINGS`; empty when nothing was reserved."""
    reserved = [t for t in books.written if t.kind is Kind.PENDING]
    if not reserved:
        return []
    rows: list[tuple[str, int, Line]] = [
        (_digits(t), number, line) for t in reserved for number, line in enumerate(t.pending, 1)
    ]
    return [
        plain([digits for digits, _, _ in rows]),
        plain([number for _, number, _ in rows]),
        plain([books.accounts[line.account_id].key for _, _, line in rows]),
        plain([line.side is Side.DEBIT for _, _, line in rows]),
        plain([line.amount.amount for _, _, line in rows]),
        texts([t.reference for t in reserved]),
        times([t.heading.expires_at for t in reserved]),
    ]


def resolved(books: Books) -> list[str]:
    """Name the pending transactions that the batch ended."""
    named = (t.heading.resolves_reference for t in books.written)
    return [reference for reference in named if reference]


def new_accounts(asked: Sequence[NewAccount]) -> list[str]:
    """Write the parameters of `statements.OPEN_ACCOUNTS`, the time apart."""
    return [
        texts([account.account_id for account in asked]),
        plain([account.type for account in asked]),
        plain([account.currency for account in asked]),
        plain([account.floor and account.floor.amount for account in asked]),
        plain([account.ceiling and account.ceiling.amount for account in asked]),
        texts([json.dumps(account.metadata) for account in asked]),
    ]


def _claims(books: Books) -> dict[str, str]:
    """In the order in which every batch takes them."""
    claims: list[tuple[str, str | None, str | None]] = [
        (t.reference, _digits(t), None) for t in books.written
    ]
    claims += [(closing.reference, None, closing.reason) for closing in books.closings]
    claims.sort(key=lambda claim: claim[0])
    return {
        "references": texts([reference for reference, _, _ in claims]),
        "fates": plain([digits for _, digits, _ in claims]),
        "reasons": texts([reason for _, _, reason in claims]),
    }


def _transactions(written: Sequence[Transaction]) -> dict[str, str]:
    headings = [t.heading for t in written]
    return {
        "ids": plain([_digits(t) for t in written]),
        "kinds": plain([heading.kind for heading in headings]),
        "names": texts([heading.reference for heading in headings]),
        "descriptions": texts([heading.description for heading in headings]),
        "subjects": texts([heading.subject_id for heading in headings]),
        "effective": times([heading.effective_at for heading in headings]),
        "expiries": times([heading.expires_at for heading in headings]),
        "reverses": texts([heading.reverses_reference or None for heading in headings]),
        "resolves": texts([heading.resolves_reference or None for heading in headings]),
        "templates": texts([heading.template or None for heading in headings]),
        "hashes": texts(["\\x" + t.hash.hex() for t in written]),
    }


def _entries(books: Books) -> dict[str, str]:
    entries = list(joined.from_iterable(t.entries for t in books.written))
    accounts = books.accounts
    return {
        "entry_accounts": plain([accounts[entry.account_id].key for entry in entries]),
        "sequences": plain([entry.account_sequence for entry in entries]),
        "entry_ids": plain([entry.transaction_id[_ID_DIGITS:] for entry in entries]),
        "lines": plain([entry.line for entry in entries]),
        "debits": plain([entry.side is Side.DEBIT for entry in entries]),
        "amounts": plain([entry.amount.amount for entry in entries]),
        "balances_after": plain([entry.balance_after.amount for entry in entries]),
    }


def _accounts(changed: Sequence[tuple[Account, Standing]]) -> dict[str, str]:
    standings = [standing for _, standing in changed]
    return {
        "changed": plain([account.key for account, _ in changed]),
        "balances": plain([standing.balance.amount for standing in standings]),
        "pendings_in": plain([standing.pending_in.amount for standing in standings]),
        "pendings_out": plain([standing.pending_out.amount for standing in standings]),
        "counts": plain([standing.entry_count for standing in standings]),
    }


def _digits(transaction: Transaction) -> str:
    return transaction.transaction_id[_ID_DIGITS:]
