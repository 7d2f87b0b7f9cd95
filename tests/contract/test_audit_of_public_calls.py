"""What clients ask of `PaymentService`, by gRPC as the edge passes it on: each change has its line,
with who, what, when, before and after; a replay and a refusal leave none.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceStub,
    add_PaymentServiceServicer_to_server,
)

from audit_log.reader import AuditLogReader, Verdict
from chassis.clock import utc_now
from chassis.database import Database
from chassis.server import make_server
from payment_svc.domain.checkout_page import payment_of
from payment_svc.domain.return_url import ReturnUrls
from payment_svc.sellers import AnySeller
from payment_svc.servicer import PublicPaymentService
from payment_svc.store import PostgresPaymentStore
from payment_svc.unlogged import UNLOGGED
from payment_svc.waiting import Waiters
from tests.audit_coverage import LOGGED, logged, said
from tests.builders import make_id
from tests.contract.test_payment_changes import held, sagas_of

_SERVICE = "paymesh.payment.v1.PaymentService"
EDGE = "spiffe://paymesh.local/ns/paymesh/sa/edge"
BUYER = payment_pb2.BuyerInfo(id="buyer_1", email="canary@example.com")
TOKEN = "pm_canary"


def metadata(key: str, client: str = "demo") -> tuple[tuple[str, str], ...]:
    """Write what the edge and the sidecar say of a client's call."""
    return (
        ("x-paymesh-client-id", client),
        ("x-paymesh-identity", EDGE),
        ("x-request-id", f"req_{key}"),
        ("idempotency-key", key),
        ("prefer", "wait=0"),
    )


@asynccontextmanager
async def served(database: Database, folder: Path) -> AsyncIterator[PaymentServiceStub]:
    """Serve payments where only a sidecar is believed to come from."""
    public = PublicPaymentService(
        PostgresPaymentStore(database, utc_now),
        Waiters(),
        sellers=AnySeller(),
        returns=cast("Any", None),  # nobody returns here
        sagas=sagas_of(database),
        return_urls=ReturnUrls.parse("https://shop.example", is_production=True),
        clock=utc_now,
        new_id=make_id,
        fingerprint_key=bytes(32),
        begun=lambda: None,
    )
    server = make_server("payment.paymesh", timeout_s=20, rpc_count_max=100)
    add_PaymentServiceServicer_to_server(public, server)
    address = f"unix:{folder}/payments.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield PaymentServiceStub(channel)
    finally:
        await server.stop(None)


def orders(name: str) -> list[payment_pb2.NewPaymentOrder]:
    """Write one order."""
    return [
        payment_pb2.NewPaymentOrder(
            seller_account="seller_1", amount="12.50", currency="EUR", payment_order_id=name
        )
    ]


async def test_every_write_of_a_client(payment_db: Database, tmp_path: Path) -> None:
    """Four writes, each asked twice: four lines, whose client and call the edge vouches for."""
    capturable = await held(payment_db)
    await payment_db.read("UPDATE sagas SET due_at = now() + interval '1 day' RETURNING 1")
    cancellable = await held(payment_db)
    before = len(await logged(payment_db))
    began_at = datetime.now(UTC)
    create = service.CreatePaymentRequest(
        buyer_info=BUYER,
        checkout_id="c1",
        payment_orders=orders("o1"),
        credit_card_info=payment_pb2.CreditCardInfo(token=TOKEN),
    )
    session = service.CreateCheckoutSessionRequest(
        buyer_info=BUYER,
        checkout_id="c2",
        payment_orders=orders("o2"),
        success_url="https://shop.example/ok?canary=1",
        cancel_url="https://shop.example/no",
    )
    capture = service.CapturePaymentRequest(payment_id=capturable.payment_id)
    cancel = service.CancelPaymentRequest(payment_id=cancellable.payment_id)
    async with served(payment_db, tmp_path) as stub:
        for _ in range(2):
            made = await stub.CreatePayment(create, metadata=metadata("pay"))
            page = await stub.CreateCheckoutSession(session, metadata=metadata("page"))
            await stub.CapturePayment(capture, metadata=metadata("capture"))
            await stub.CancelPayment(cancel, metadata=metadata("cancel"))

    lines = (await logged(payment_db))[before:]
    assert {line["action"] for line in lines} == {
        action for action in LOGGED["clients"] if action.startswith(f"{_SERVICE}/")
    }
    assert len(lines) == 4
    for line in lines:
        assert (line["actor_kind"], line["actor_id"], line["is_verified"]) == (
            "client", "demo", True,
        )  # fmt: skip
        assert (line["object_kind"], line["reason"]) == ("payment", "")
        assert abs(line["at"] - began_at) < timedelta(minutes=5)
    assert {line["request_id"] for line in lines} == {
        f"req_{key}" for key in ("pay", "page", "capture", "cancel")
    }
    assert said(lines, "CreatePayment")["object_id"] == made.payment_id
    opened = said(lines, "CreateCheckoutSession")
    assert opened["object_id"] == payment_of(page.checkout_session_id)
    assert (opened["before"], opened["after"]) == (
        {},
        {
            "status": "PENDING", "amount": "12.50", "currency": "EUR",
            "capture_method": "AUTOMATIC", "orders": "o2",
        },
    )  # fmt: skip
    assert moved(said(lines, "CapturePayment")) == ("REQUIRES_CAPTURE", "PROCESSING")
    cancelled = said(lines, "CancelPayment")
    assert cancelled["object_id"] == cancellable.payment_id
    assert moved(cancelled) == ("REQUIRES_CAPTURE", "PROCESSING")
    assert int(cancelled["after"]["revision"]) == int(cancelled["before"]["revision"]) + 1
    assert "canary" not in str(lines)
    told = [one async for one in AuditLogReader(payment_db, UNLOGGED).verify({})]
    assert isinstance(told[-1], Verdict)
    assert told[-1].offence_count == 0


def moved(line: Mapping[str, Any]) -> tuple[str, str]:
    """Tell the status before and after."""
    return line["before"]["status"], line["after"]["status"]


@pytest.mark.parametrize(
    ("client", "key", "code"),
    [
        ("another", "k1", grpc.StatusCode.NOT_FOUND),
        ("", "k2", grpc.StatusCode.UNAUTHENTICATED),
        ("demo", "", grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["not his", "nobody", "no key"],
)
async def test_what_is_refused_changes_nothing(
    payment_db: Database, tmp_path: Path, client: str, key: str, code: grpc.StatusCode
) -> None:
    """Neither the payment nor the log."""
    payment = await held(payment_db)
    before = await logged(payment_db)
    said_of_it = [one for one in metadata(key, client) if one[1]]
    async with served(payment_db, tmp_path) as stub:
        for ask, request in (
            (stub.CancelPayment, service.CancelPaymentRequest(payment_id=payment.payment_id)),
            (stub.CapturePayment, service.CapturePaymentRequest(payment_id=payment.payment_id)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await cast("Any", ask)(request, metadata=said_of_it)
            assert refused.value.code() is code

    assert await logged(payment_db) == before
    found = await PostgresPaymentStore(payment_db, utc_now).find(payment.payment_id)
    assert found is not None
    assert found.revision == payment.revision
