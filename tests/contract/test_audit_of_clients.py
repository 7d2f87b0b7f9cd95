"""Clients' own changes in the audit log: payments and webhook endpoints, through the stores."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from audit_log.origin import current_origin
from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import PaymeshError
from chassis.interceptors import RequestContext, _current
from payment_svc.domain.webhook_endpoint import EndpointStatus, WebhookEndpoint
from payment_svc.ports import Asked
from payment_svc.store import PostgresPaymentStore
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.audit_coverage import LOGGED, logged, said
from tests.builders import NOW, make_asked, make_new_payment
from tests.contract.test_payment_changes import cancelling, capturing, held

_SERVICE = "paymesh.payment.v1.WebhookEndpointService"


def _under(rpc: str) -> None:
    _current.set(RequestContext(client_id="demo", method=f"{_SERVICE}/{rpc}", caller="edge"))


def _asked(rpc: str, key: str) -> Asked:
    _under(rpc)
    return Asked("demo", rpc, key, {"url": "f"}, current_origin())


async def test_webhook_endpoints(payment_db: Database) -> None:
    """Made, rotated, redelivered to, deleted: a line each, repetitions none; of the address only
    its host, of secrets only which generation.
    """
    store, log = PostgresWebhookStore(payment_db), PostgresWebhookLog(payment_db)
    endpoint = WebhookEndpoint(
        "we_1", "demo", "https://shop.example/hooks?token=canary", ("payment.completed",), "",
        EndpointStatus.ENABLED, NOW,
    )  # fmt: skip
    for _ in range(2):
        await store.create(_asked("CreateWebhookEndpoint", "k1"), endpoint, "w1")
    for _ in range(2):
        await store.rotate(_asked("RotateWebhookSecret", "k2"), "we_1", "w1", timedelta(hours=1))
    _under("RedeliverEvent")
    await log.redeliver_since(endpoint, NOW, 10)
    assert not await log.redeliver(endpoint, "pay_none", 1)
    _under("DeleteWebhookEndpoint")
    for _ in range(2):
        await store.delete("demo", "we_1")
    assert await store.delete("another", "we_1") is None

    lines = await logged(payment_db)

    assert len(lines) == 4
    assert {line["action"] for line in lines} < LOGGED["clients"]
    assert {(line["actor_kind"], line["actor_id"]) for line in lines} == {("client", "demo")}
    assert said(lines, "CreateWebhookEndpoint")["after"]["host"] == "shop.example"
    rotated = said(lines, "RotateWebhookSecret")
    assert (rotated["before"], rotated["after"]) == (
        {"secret_generation": "1"}, {"secret_generation": "2"},
    )  # fmt: skip
    assert said(lines, "DeleteWebhookEndpoint")["after"] == {"status": "DELETED"}
    assert "canary" not in str(lines)


async def test_payments_accepted_together(payment_db: Database) -> None:
    """Each call of a batch has a line of its own, with its own client and call; a replay none."""
    store = PostgresPaymentStore(payment_db, utc_now)
    new = [make_new_payment() for _ in range(8)]
    for place, one in enumerate(new):
        _current.set(
            RequestContext(
                client_id="demo", request_id=f"req_{place}", caller="edge",
                method="paymesh.payment.v1.PaymentService/CreatePayment",
            )
        )  # fmt: skip
        new[place] = replace(one, asked=replace(one.asked, origin=current_origin()))

    await asyncio.gather(*(store.accept(one) for one in new))
    await asyncio.gather(*(store.accept(one) for one in new))

    lines = await logged(payment_db)
    assert {(line["object_id"], line["request_id"]) for line in lines} == {
        (one.payment.payment_id, f"req_{place}") for place, one in enumerate(new)
    }
    assert len(lines) == len(new)
    assert {line["action"] for line in lines} < LOGGED["clients"]
    assert all(line["is_verified"] and line["actor_kind"] == "client" for line in lines)
    assert {key for line in lines for key in line["after"]} == {
        "status", "amount", "currency", "capture_method", "orders",
    }  # fmt: skip


async def test_captures_and_cancellations(payment_db: Database) -> None:
    """A line with what the status was and is; a replay and a refusal leave none."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    for _ in range(2):
        await capturing(store, payment.payment_id)
    with pytest.raises(PaymeshError):
        await cancelling(store, make_asked("CancelPayment", "k2"), payment.payment_id)

    _, line = await logged(payment_db)

    assert line["action"].endswith("/CapturePayment")
    assert (line["before"]["status"], line["after"]["status"]) == ("REQUIRES_CAPTURE", "PROCESSING")
