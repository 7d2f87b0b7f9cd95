"""ListPayments on real PostgreSQL: every payment once, in order, off an index."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import InvalidRequest
from chassis.money import Money
from payment_svc import listing
from payment_svc.domain.payment import Buyer, Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.ports import Filters, Page
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.list_payments import list_payments
from tests.builders import NOW, make_new_payment, make_order, make_payment

MINE = Filters(client_id="demo")
FILTERS = {
    "buyer_id": "buyer_1",
    "checkout_id": "checkout_1",
    "seller_account": "seller_1",
    "status": PaymentStatus.PENDING,
    "created_from": NOW + timedelta(seconds=3),
    "created_before": NOW + timedelta(seconds=9),
    "currency": "USD",
    "amount_min": Money.parse("5.00", "USD"),
    "amount_max": Money.parse("8.00", "USD"),
}


def a_payment(number: int, client_id: str = "demo") -> Payment:
    """Make the `number`th payment: a second apart in pairs, over three buyers, sellers, amounts."""
    orders = [
        make_order(f"{number % 7 + 1}.00", seller=f"seller_{number % 3}"),
        make_order("1.00", seller=f"seller_{number % 2}"),
    ]
    return replace(
        make_payment(*orders, client_id=client_id),
        buyer=Buyer(f"buyer_{number % 3}"),
        checkout_id=f"checkout_{number % 4}",
        created_at=NOW + timedelta(seconds=number // 2),
    )


def fits(payment: Payment, filters: Filters) -> bool:
    """Say by the definition whether a payment belongs in a list."""
    sellers = {order.seller_account for order in payment.orders}
    amount = payment.amount.amount
    return (
        payment.client_id == filters.client_id
        and filters.buyer_id in (None, payment.buyer.buyer_id)
        and filters.checkout_id in (None, payment.checkout_id)
        and (filters.seller_account is None or filters.seller_account in sellers)
        and filters.status in (None, payment.status)
        and (filters.created_from is None or payment.created_at >= filters.created_from)
        and (filters.created_before is None or payment.created_at < filters.created_before)
        and filters.currency in (None, payment.currency)
        and (filters.amount_min is None or amount >= filters.amount_min.amount)
        and (filters.amount_max is None or amount <= filters.amount_max.amount)
    )


async def walk(store: PostgresPaymentStore, filters: Filters, size: int) -> list[Payment]:
    """List page by page to the end."""
    found: list[Payment] = []
    token = ""
    while True:
        page, token = await list_payments(filters, size, token, store=store)
        assert len(page) <= size
        found += page
        if not token:
            return found


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Choose none, one, two or three of the filters."""
    return [c for size in range(4) for c in itertools.combinations(names, size)]


async def test_every_combination_of_filters_lists_what_fits_in_order(
    payment_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of three, over candidates of five: each payment that fits once, the newest first."""
    monkeypatch.setattr(listing, "CANDIDATES_MAX", 5)
    store = PostgresPaymentStore(payment_db, utc_now)
    payments = [a_payment(number) for number in range(24)] + [a_payment(1, "other")]
    for payment in payments:
        await store.accept(make_new_payment(payment))
    newest = sorted(payments, key=lambda p: (p.created_at, p.payment_id), reverse=True)

    for names in subsets(list(FILTERS)):
        filters = replace(MINE, **{name: FILTERS[name] for name in names})  # type: ignore[arg-type]
        listed = await walk(store, filters, 3)
        assert listed == [p for p in newest if fits(p, filters)], names


async def test_token_belongs_to_its_filters(payment_db: Database) -> None:
    """A token made with other filters, or not here, is refused by name."""
    store = PostgresPaymentStore(payment_db, utc_now)
    for number in range(3):
        await store.accept(make_new_payment(a_payment(number)))
    _, token = await list_payments(MINE, 1, "", store=store)

    for filters, wrong in ((replace(MINE, client_id="other"), token), (MINE, "x"), (MINE, "eyI")):
        with pytest.raises(InvalidRequest) as refused:
            await list_payments(filters, 1, wrong, store=store)
        assert refused.value.violations[0].field == "page_token"


async def fill(database: Database, count: int) -> None:
    """Put many payments of many clients in, as one statement."""
    await database.run(
        lambda tx: tx.execute(
            """
            WITH numbers AS (SELECT n, 'pay_' || lpad(n::text, 20, '0') AS payment_id,
                now() - n * interval '1 minute' AS created_at FROM generate_series(1, %s) AS n),
            new AS (
                INSERT INTO payments (payment_id, client_id, checkout_id, status, version, buyer_id,
                    created_at, amount, currency)
                SELECT payment_id, 'client_' || n %% 5, 'checkout_' || n %% 997,
                    CASE n %% 50 WHEN 0 THEN 'FAILED' ELSE 'COMPLETED' END, 3, 'buyer_' || n %% 991,
                    created_at, n %% 100 + 1, 'USD' FROM numbers
            )
            INSERT INTO orders (order_id, payment_id, position, client_id, payment_order_id,
                seller_account, amount, currency, status, created_at)
            SELECT 'ord_' || n, payment_id, 0, 'client_' || n %% 5, n::text, 'seller_' || n %% 499,
                n %% 100 + 1, 'USD', 'SUCCESS', created_at FROM numbers
            """,
            [count],
        ),
        timeout_s=60,
    )


# The sort is of the page itself, at most CANDIDATES_MAX rows.
INDEXED = {"Limit", "Index Scan", "Index Only Scan", "Nested Loop", "CTE Scan", "Sort", "Memoize"}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """List the nodes of a plan."""
    return [plan, *(node for inner in plan.get("Plans", []) for node in nodes(inner))]


async def test_a_page_is_read_off_indexes_alone(payment_db: Database) -> None:
    """Whatever the filters, nothing is scanned or sorted, and what is read is bounded."""
    await fill(payment_db, 20_000)  # 4,000 a client
    everything = replace(MINE, client_id="client_1", **FILTERS)  # type: ignore[arg-type]
    page = Page(NOW, "pay_5")

    for names in subsets([*FILTERS, ""]):
        kept = {name: getattr(everything, name) for name in names if name}
        query, values = listing.page(Filters("client_1", **kept), page)
        (row,) = await payment_db.read(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + query,
            values,  # type: ignore[arg-type]
        )
        plan = row["QUERY PLAN"][0]["Plan"]
        found = nodes(plan)
        assert {node["Node Type"] for node in found} <= INDEXED, (names, json.dumps(plan, indent=1))
        most = max(node["Actual Rows"] * node["Actual Loops"] for node in found)
        assert most <= listing.CANDIDATES_MAX, (names, most)
