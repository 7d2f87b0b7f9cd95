"""What a batch decided, as the columns that its statements take."""

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import chain as joined
from operator import attrgetter, itemgetter
from typing import Any

from bookkeeping.arrays import digests, known, plain, some_texts, texts, times
from ledger_svc.domain.account import AccountStatus, NewAccount, Side
from ledger_svc.domain.books import Books
from ledger_svc.domain.posting import Line
from ledger_svc.domain.transaction import Entry, Heading, Kind, Transaction

_ID_DIGITS = len("txn_")
_DEBIT = Side.DEBIT
_OPEN = AccountStatus.OPEN
_AMOUNT = attrgetter("amount")
_NO_HEADINGS: Any = [()] * len(Heading._fields)
_NO_ENTRIES: Any = [()] * len(Entry._fields)


def batch(books: Books) -> dict[str, Any]:
    """Write the parameters of `statements.WRITE`, those of the stream apart."""
    digits = [t.transaction_id[_ID_DIGITS:] for t in books.written]
    return {
        "at": books.now,
        **_claims(books, digits),
        **_transactions(books.written, digits),
        **_entries(books, digits),
        **_accounts(books),
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
        plain([_digits(t) for t in reserved]),
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


def _claims(books: Books, digits: Sequence[str]) -> dict[str, str]:
    """Write claims in the order in which every batch takes them."""
    claims: list[tuple[str, str | None, str | None]] = [
        (t.heading[0], id_, None) for t, id_ in zip(books.written, digits, strict=True)
    ]
    claims += [(closing.reference, None, closing.reason) for closing in books.closings]
    claims.sort(key=itemgetter(0))
    references, fates, reasons = zip(*claims, strict=True)
    return {
        "references": texts(references),
        "fates": plain(fates) if books.closings else known(fates),
        "reasons": some_texts(reasons) if books.closings else "{}",
    }


def _transactions(written: Sequence[Transaction], digits: Sequence[str]) -> dict[str, str]:
    columns = zip(*[t.heading for t in written], strict=True) if written else _NO_HEADINGS
    names, kinds, descriptions, subjects, effective, ends, reverses, resolves, templates = columns
    return {
        "ids": known(digits),
        "kinds": known(kinds),
        "names": texts(names),
        "descriptions": texts(descriptions),
        "subjects": texts(subjects),
        "effective": times(effective),
        "expiries": times(ends),
        "reverses": _rare(reverses),
        "resolves": _rare(resolves),
        "templates": _rare(templates),
        "hashes": digests([t.hash for t in written]),
    }


def _entries(books: Books, digits: Sequence[str]) -> dict[str, str]:
    of_each = [t.entries for t in books.written]
    entries = list(joined.from_iterable(of_each))
    columns = zip(*entries, strict=True) if entries else _NO_ENTRIES
    _, _, _, names, sides, amounts, balances, sequences, _, _, _ = columns
    ids = [id_ for id_, some in zip(digits, of_each, strict=True) for _ in some]
    accounts = books.accounts
    return {
        "entry_accounts": known([accounts[name].key for name in names]),
        "sequences": known(sequences),
        "entry_ids": known(ids),
        "lines": known([_lines(len(some)) for some in of_each if some]),
        "debits": known(["t" if side is _DEBIT else "f" for side in sides]),
        "amounts": known(map(_AMOUNT, amounts)),
        "balances_after": known(map(_AMOUNT, balances)),
    }


def _accounts(books: Books) -> dict[str, Any]:
    """Write what accounts have now, and what they must have had until then."""
    changed, before = books.changed, books.before
    are = [standing for _, standing in changed]
    were = [before[account.account_id] for account, _ in changed]
    statuses = [account.status for account, _ in changed]
    return {
        "changed_count": len(changed),
        "changed": known([account.key for account, _ in changed]),
        "balances": known([standing[0].amount for standing in are]),
        "pendings_in": _amounts([standing[1].amount for standing in are]),
        "pendings_out": _amounts([standing[2].amount for standing in are]),
        "counts": known([standing[3] for standing in are]),
        "were_in": _amounts([standing[1].amount for standing in were]),
        "were_out": _amounts([standing[2].amount for standing in were]),
        "were_counts": known([standing[3] for standing in were]),
        "statuses": known(statuses) if any(s is not _OPEN for s in statuses) else "{}",
    }


def _amounts(some: Sequence[Decimal]) -> str:
    """Write amounts that are mostly nothing, which may be NULL."""
    return known(some) if any(some) else "{}"


@cache
def _lines(count: int) -> str:
    """Write the numbers of a transaction's lines."""
    return ",".join(map(str, range(1, count + 1)))


def _rare(names: Sequence[str]) -> str:
    """Write names that are mostly empty, which is to be NULL."""
    return some_texts([name or None for name in names]) if any(names) else "{}"


def _digits(transaction: Transaction) -> str:
    return transaction.transaction_id[_ID_DIGITS:]
