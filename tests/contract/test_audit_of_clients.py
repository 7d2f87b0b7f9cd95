"""Clients' own changes in the audit log: payments and webhook endpoints, through the stores."""

from datetime import timedelta

from chassis.database import Database
from chassis.interceptors import RequestContext, _current
from payment_svc.domain.webhook_endpoint import EndpointStatus, WebhookEndpoint
from payment_svc.ports import Asked
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.audit_coverage import LOGGED, logged, said
from tests.builders import NOW

_SERVICE = "paymesh.payment.v1.WebhookEndpointService"


def _under(rpc: str) -> None:
    _current.set(RequestContext(client_id="demo", method=f"{_SERVICE}/{rpc}", caller="edge"))


def _asked(rpc: str, key: str) -> Asked:
    from audit_log.origin import current_origin

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
