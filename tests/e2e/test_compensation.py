"""Every way a pay-in turns round, on real parts: the money goes back, the books are square, and the
reason is told.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from devstack.demo import settled_trail
from devstack.invariants import check
from devstack.rest import RestClient, specification_request
from devstack.trail import Operator, Trail


def request_of(*sellers: str, **more: Any) -> dict[str, Any]:
    """Write a request with an order of 10.00 EUR for each seller."""
    orders = [
        {
            "seller_account": s,
            "amount": "10.00",
            "currency": "EUR",
            "payment_order_id": str(uuid4()),
        }
        for s in sellers
    ]
    return specification_request() | {"payment_orders": orders} | more


def sellers(count: int = 3) -> list[str]:
    """Name sellers that nobody else has."""
    return [f"seller_{uuid4()}" for _ in range(count)]


@asynccontextmanager
async def shut(
    stack: Mapping[str, Any], seller: str, status: str, context: str = "wallet"
) -> AsyncIterator[None]:
    """Shut a seller's wallet or ledger account, which payment_svc knows as open."""
    statement = {
        "wallet": "UPDATE wallets SET status = %s, version = version + 1 WHERE wallet_id = %s",
        "ledger": "UPDATE accounts SET status = %s WHERE account_id = %s",
    }[context]

    async def set_status(to: str) -> None:
        async with await psycopg.AsyncConnection.connect(stack["databases"][context]) as database:
            changed = await database.execute(statement, [to, f"seller:demo:{seller}:EUR"])
            assert changed.rowcount == 1

    await set_status(status)
    yield
    await set_status("OPEN")


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process for the time of a `with`."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def order_of(stack: Mapping[str, Any], payment_id: str) -> str:
    """Name the only order of a payment by its own id."""
    url = stack["databases"]["payment"]
    async with await psycopg.AsyncConnection.connect(url) as database:
        asked = "SELECT order_id FROM orders WHERE payment_id = %s"
        ((order_id,),) = await (await database.execute(asked, [payment_id])).fetchall()
    return str(order_id)


async def ended(rest: RestClient, operator: Operator, request: dict[str, Any]) -> Trail:
    """Make a payment and wait for the end of all its sagas; every invariant holds there."""
    created = await rest.create(request)
    await rest.until_final(created.body["payment_id"])
    trail = await settled_trail(operator, created.body["payment_id"])
    assert [verdict for verdict in check(trail) if not verdict.holds] == []
    return trail


def moved(trail: Trail) -> list[tuple[str, int]]:
    """List what the PSP's own record says moved."""
    return [(record["kind"], record["amount"]) for record in trail.psp_record]


def outcomes(trail: Trail) -> list[tuple[str, str]]:
    """List the orders' statuses with their reasons."""
    orders = trail.payment["payment_orders"]
    return [(order["status"], order.get("failure", {}).get("reason", "")) for order in orders]


def balances(trail: Trail) -> set[str]:
    """List what the sellers' wallets hold in all."""
    return {w[part] for w in trail.wallets for part in ("pending", "available", "held")}


@pytest.mark.parametrize(
    ("context", "status", "reason"),
    [
        ("wallet", "FROZEN", "WALLET_FROZEN"),
        ("wallet", "CLOSED", "WALLET_CLOSED"),
        ("ledger", "FROZEN", "ACCOUNT_FROZEN"),
        ("ledger", "CLOSED", "ACCOUNT_CLOSED"),
    ],
)
async def test_seller_shut_after_the_charge_gives_the_money_back(
    rest: RestClient,
    operator: Operator,
    stack: dict[str, Any],
    context: str,
    status: str,
    reason: str,
) -> None:
    """A wallet or an account that takes nothing more: the charge is refunded, the order FAILED with
    the reason, nobody holds a cent of it.
    """
    (seller,) = sellers(1)
    before = await ended(rest, operator, request_of(seller))

    async with shut(stack, seller, status, context):
        trail = await ended(rest, operator, request_of(seller))

    assert trail.payment["status"] == "FAILED"
    assert trail.payment["failure"]["reason"] == reason
    assert outcomes(trail) == [("FAILED", reason)]
    assert moved(trail) == [("charge", 1000), ("refund", 1000)]
    assert trail.entries == []
    assert balances(trail) <= balances(before)


async def test_wallet_frozen_before_is_refused_before_the_charge(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """A seller's first payment here looks at the wallet: nothing is charged in vain."""
    (seller,) = sellers(1)
    new = wallet.NewWallet(
        wallet_id=f"seller:demo:{seller}:EUR", client_id="demo", owner=seller, currency="EUR"
    )
    await operator.wallets.OpenWallets(wallet.OpenWalletsRequest(wallets=[new]))

    async with shut(stack, seller, "FROZEN"):
        trail = await ended(rest, operator, request_of(seller))

    assert outcomes(trail) == [("FAILED", "WALLET_FROZEN")]
    assert moved(trail) == []


async def test_one_refused_order_undoes_the_whole(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """ALL_OR_NOTHING: two sellers are credited and give it back because the third cannot be."""
    three = sellers()
    before = await ended(rest, operator, request_of(*three))

    async with shut(stack, three[1], "FROZEN"):
        trail = await ended(rest, operator, request_of(*three))

    assert outcomes(trail) == [("FAILED", "WALLET_FROZEN")] * 3
    assert moved(trail) == [("charge", 3000), ("refund", 3000)]
    assert balances(trail) <= balances(before)
    assert {w["available"] for w in trail.wallets} <= {"10.00"}


async def test_what_succeeded_is_kept_where_that_was_asked(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """KEEP_SUCCESSFUL: a charge per order; the refused one alone goes back, and the payment says
    so.
    """
    three = sellers()
    await ended(rest, operator, request_of(*three))

    async with shut(stack, three[1], "FROZEN"):
        trail = await ended(
            rest, operator, request_of(*three, partial_failure_policy="KEEP_SUCCESSFUL")
        )

    assert trail.payment["status"] == "PARTIALLY_COMPLETED"
    assert "failure" not in trail.payment
    assert outcomes(trail) == [("SUCCESS", ""), ("FAILED", "WALLET_FROZEN"), ("SUCCESS", "")]
    assert sorted(moved(trail)) == [("charge", 1000)] * 3 + [("refund", 1000)]
    assert sorted(saga["kind"] for saga in trail.sagas) == ["pay_in"] * 3 + ["settle"] * 2
    changes = [c["to_status"] for c in trail.status_changes if c["subject_id"].startswith("pay_")]
    assert changes == ["PENDING", "PROCESSING", "PARTIALLY_COMPLETED"]


async def test_all_succeed_or_all_fail_with_a_charge_per_order(
    rest: RestClient, operator: Operator
) -> None:
    """KEEP_SUCCESSFUL of which nothing, or everything, fails ends like any other payment."""
    keep = {"partial_failure_policy": "KEEP_SUCCESSFUL"}
    declined = {"credit_card_info": {"token": "pm_card_chargeDeclined"}}

    good = await ended(rest, operator, request_of(*sellers(), **keep))
    bad = await ended(rest, operator, request_of(*sellers(), **keep, **declined))

    assert good.payment["status"] == "COMPLETED"
    assert moved(good) == [("charge", 1000)] * 3
    assert bad.payment["status"] == "FAILED"
    assert outcomes(bad) == [("FAILED", "CARD_DECLINED")] * 3


async def test_refund_that_fails_is_tried_until_it_is_done(
    rest: RestClient, operator: Operator, stack: dict[str, Any]
) -> None:
    """The way back meets trouble at the PSP: it is refunded once, whatever was answered."""
    (seller,) = sellers(1)
    await ended(rest, operator, request_of(seller))
    fault = {"kind": "rate_limit", "times": 2, "match": {"operation": "refund"}}
    lost = {"kind": "error_after", "times": 1, "match": {"operation": "refund"}}

    async with shut(stack, seller, "FROZEN"), aiohttp.ClientSession() as http:
        for one in (fault, lost):
            async with http.post(stack["psp_sandbox"]["url"] + "/control/faults", json=one) as set_:
                assert set_.status < 300
        trail = await ended(rest, operator, request_of(seller))

    assert trail.payment["failure"]["reason"] == "WALLET_FROZEN"
    assert moved(trail) == [("charge", 1000), ("refund", 1000)]
    undone = [s["outcome"] for s in trail.sagas[0]["steps"] if s["action"] == "undo"]
    assert "retry" in undone
    assert undone[-1] == "done"


@pytest.mark.parametrize("undone", ["credit", "post"])
async def test_undo_that_overtakes_its_do_turns_the_saga_round(
    rest: RestClient, operator: Operator, stack: dict[str, Any], undone: str
) -> None:
    """While the PSP stands still somebody closes the credit's id, or the posting's reference: what
    arrives later is refused for good, and the whole goes back.
    """
    (seller,) = sellers(1)
    with standing_still(stack["processes"]["sandbox"]["pid"]):
        created = await rest.create(request_of(seller))
        payment_id = created.body["payment_id"]
        if undone == "post":
            reference = f"payment:{payment_id}:captured"
            request = ledger.ReverseTransactionRequest(reference=reference, reason="by hand")
            await operator.ledger.ReverseTransaction(request)
        else:
            credit = f"order:{await order_of(stack, payment_id)}:credit"
            closed = wallet.ReverseOperationsRequest(operation_ids=[credit])
            await operator.wallets.ReverseOperations(closed)
    await rest.until_final(payment_id)
    trail = await settled_trail(operator, payment_id)

    assert outcomes(trail) == [("FAILED", "REVERSED_BEFORE_ARRIVAL")]
    assert moved(trail) == [("charge", 1000), ("refund", 1000)]
    assert trail.entries == []
    assert [verdict for verdict in check(trail) if not verdict.holds] == []
    undos = [s["step"] for s in trail.sagas[0]["steps"] if s["action"] == "undo"]
    assert undos == [*(["post"] if undone == "post" else []), "credit", "charge", "assess"]


async def test_manual_capture_goes_with_all_or_nothing(rest: RestClient) -> None:
    """The two together are refused by field, and nothing is stored."""
    policy = {"capture_method": "MANUAL", "partial_failure_policy": "KEEP_SUCCESSFUL"}

    refused = await rest.create(request_of(*sellers(), **policy))

    assert refused.status == 400
    assert refused.body["details"][0]["metadata"]["field"] == "partial_failure_policy"
