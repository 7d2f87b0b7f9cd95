"""Filters and places of lists as SQL; what is asked for comes as parameters.

A month is left out by bounds of the ids, and by them alone; so each table that is cut by months is
given them.
"""

from typing import Any, LiteralString

from ledger_svc import queries
from ledger_svc.domain import chain
from ledger_svc.ports import EntryFilter, Page, PendingFilter, Period

Asked = tuple[LiteralString, dict[str, Any]]

_OF_ACCOUNT: LiteralString = (
    "e.account_key = (SELECT account_key FROM accounts WHERE account_id = %(account)s)"
)
_OF_REFERENCE: LiteralString = (
    "{id} = (SELECT transaction_id FROM claims WHERE reference = %(reference)s)"
)


def entries(which: EntryFilter, page: Page) -> Asked:
    """Make the query of a page of entries."""
    asked: dict[str, Any] = {"limit": page.limit}
    bounds = _written(which.period, asked)
    fits: list[LiteralString] = []
    if which.account_id:
        asked["account"] = which.account_id
        fits.append(_OF_ACCOUNT)
    if which.reference:
        asked["reference"] = which.reference
        bounds.append(_OF_REFERENCE)
    if page.after is not None:
        asked["after"], asked["line"] = digits(page.after[0]), page.after[1]
        past: LiteralString = ">" if page.oldest_first else "<"
        fits.append(f"(e.transaction_id, e.line) {past} (%(after)s, %(line)s)")
        bounds.append(f"{{id}} {past}= %(after)s")
    direction: LiteralString = "ASC" if page.oldest_first else "DESC"
    fits += [bound.format(id="e.transaction_id") for bound in bounds]
    conditions = _all(fits)
    if not which.subject_id:
        return queries.ENTRIES.format(conditions=conditions, direction=direction), asked
    asked["subject"] = which.subject_id
    query = queries.ENTRIES_OF_SUBJECT.format(
        conditions=conditions,
        of_transaction=_all(bounds).format(id="t.transaction_id"),
        direction=direction,
    )
    return query, asked


def pendings(which: PendingFilter, account: int | None, *, after: str, limit: int) -> Asked:
    """Make the query of a page of what is pending; `account` is the key of the one asked for."""
    asked: dict[str, Any] = {"limit": limit, "after": digits(after or chain.NOTHING)}
    bounds = _all([*_written(which.created, asked), "{id} > %(after)s"])
    fits = _expires(which.expires, asked)
    if account is not None:
        asked["account"] = account
        fits.append(queries.IS_ON_ACCOUNT)
    if which.subject_id:
        asked["subject"] = which.subject_id
        query = queries.PENDINGS_OF_SUBJECT.format(
            bounds=bounds.format(id="t.transaction_id"),
            fits=_all(fits).format(id="t.transaction_id"),
        )
        return query, asked
    query = queries.PENDINGS.format(
        named=bounds.format(id="o.transaction_id"),
        named_fits=_all(fits).format(id="o.transaction_id"),
        unnamed=bounds.format(id="c.transaction_id"),
        unnamed_fits=_all(fits).format(id="c.transaction_id"),
    )
    return query, asked


def digits(transaction_id: str) -> str:
    """Write a transaction's id as the database does."""
    return transaction_id.removeprefix("txn_")


def _written(period: Period, asked: dict[str, Any]) -> list[LiteralString]:
    """Bound the ids by when transactions were written, and add the bounds to what is asked."""
    bounds: list[LiteralString] = []
    if period.start is not None:
        asked["first"] = digits(chain.first_id(period.start))
        bounds.append("{id} >= %(first)s")
    if period.end is not None:
        asked["last"] = digits(chain.first_id(period.end))
        bounds.append("{id} < %(last)s")
    return bounds


def _expires(period: Period, asked: dict[str, Any]) -> list[LiteralString]:
    fits: list[LiteralString] = []
    if period.start is not None:
        asked["expires_from"] = period.start
        fits.append("o.expires_at >= %(expires_from)s")
    if period.end is not None:
        asked["expires_to"] = period.end
        fits.append("o.expires_at < %(expires_to)s")
    return fits


def _all(conditions: list[LiteralString]) -> LiteralString:
    return " AND ".join(conditions) or "true"
