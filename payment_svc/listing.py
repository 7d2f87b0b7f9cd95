"""Lists of payments: one index gives the candidates in order, the other filters look at them.

A page looks at a bounded number of candidates, whatever the filters: a rare combination ends in
short pages, never in a long wait. The SQL is joined from the fragments below; values are
parameters.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from payment_svc.ports import Filters, Page
from payment_svc.rows import Row

# Written into the query: a plan that does not know how few are wanted would sort them all.
CANDIDATES_MAX = 2_000
PAGE_MAX = 500

# The most telling filter comes first; the newest payments of the client are the last resort.
_BY: Sequence[tuple[str, LiteralString]] = (
    ("buyer_id", "buyer_id = %(buyer_id)s"),
    ("checkout_id", "checkout_id = %(checkout_id)s"),
    ("status", "status = %(status)s"),
)
_PAGE = """
WITH candidates AS MATERIALIZED (
    SELECT payment_id, created_at FROM {table}
    WHERE client_id = %(client_id)s {by} {since} {place}
    ORDER BY created_at DESC, payment_id DESC LIMIT {candidates}
)
SELECT c.payment_id, c.created_at, {fits} AS fits
FROM candidates AS c {join}
ORDER BY c.created_at DESC, c.payment_id DESC
"""
_JOIN = "JOIN payments AS p USING (payment_id)"


def page(filters: Filters, after: Page | None) -> tuple[LiteralString, dict[str, Any]]:
    """Make the query of a page: candidates from newest to oldest, each with whether it `fits`."""
    parameters: dict[str, Any] = {
        "client_id": filters.client_id,
        "buyer_id": filters.buyer_id,
        "checkout_id": filters.checkout_id,
        "seller_account": filters.seller_account,
        "status": filters.status.value if filters.status else None,
        "created_from": filters.created_from,
        "created_before": filters.created_before,
        "currency": filters.currency,
        "amount_min": filters.amount_min.amount if filters.amount_min else None,
        "amount_max": filters.amount_max.amount if filters.amount_max else None,
        "at": after.created_at if after else None,
        "payment_id": after.payment_id if after else None,
    }
    table, by, looked_at = _driven_by(parameters)
    query = _PAGE.format(
        table=table,
        by=by,
        since=_range(parameters),
        place="AND (created_at, payment_id) < (%(at)s, %(payment_id)s)" if after else "",
        fits=" AND ".join(looked_at) or "true",
        join=_JOIN if looked_at else "",
        candidates=CANDIDATES_MAX if looked_at or table == "orders" else PAGE_MAX + 1,
    )
    return query, {name: value for name, value in parameters.items() if value is not None}


def next_page(seen: Sequence[Row], fitting: Sequence[Row], limit: int) -> Page | None:
    """Tell where the next page begins, by what this one looked at; None: nothing is left."""
    if len(fitting) == limit and fitting[-1] is not seen[-1]:
        return _place(fitting[-1])
    return _place(seen[-1]) if len(seen) == CANDIDATES_MAX else None


def _place(row: Row) -> Page:
    return Page(row["created_at"], row["payment_id"])


def _range(parameters: dict[str, Any]) -> LiteralString:
    since: LiteralString = ""
    if parameters["created_from"] is not None:
        since += " AND created_at >= %(created_from)s"
    if parameters["created_before"] is not None:
        since += " AND created_at < %(created_before)s"
    return since


def _driven_by(
    parameters: dict[str, Any],
) -> tuple[LiteralString, LiteralString, list[LiteralString]]:
    """Choose the index: the table, its condition, and what is left to look at in each candidate."""
    given = [text for name, text in _BY if parameters[name] is not None]
    rest = [
        text
        for name, text in (
            ("currency", "p.currency = %(currency)s"),
            ("amount_min", "p.amount >= %(amount_min)s"),
            ("amount_max", "p.amount <= %(amount_max)s"),
        )
        if parameters[name] is not None
    ]
    if parameters["seller_account"] is not None and parameters["buyer_id"] is None:
        by: LiteralString = "AND seller_account = %(seller_account)s"
        return "orders", by, [*("p." + text for text in given), *rest]
    if parameters["seller_account"] is not None:
        rest = [*rest, _HAS_SELLER]
    if not given:
        return "payments", "", rest
    return "payments", "AND " + given[0], [*("p." + text for text in given[1:]), *rest]


_HAS_SELLER: LiteralString = (
    "EXISTS (SELECT FROM orders AS o WHERE o.payment_id = p.payment_id"
    " AND o.seller_account = %(seller_account)s)"
)
