"""What goes wrong inside is told to nobody outside: no SQL, no host, no path, no table."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.payment.v1 import operations_service_pb2 as operations
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as payment
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as hooks
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    add_PaymentServiceServicer_to_server,
)
from paymesh.psp.v1 import dispute_service_pb2 as disputes
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis import errors
from chassis.channel import call, open_channel
from chassis.server import Wiring, add_wiring, make_server
from chassis.settings import Environment, ServerSettings
from tests.servers import PostgresServer, free_port

CANARY = "canary"
PLANTED = [
    psycopg.OperationalError(f'connection to server at "{CANARY}.internal" failed'),
    psycopg.errors.UniqueViolation(f"DETAIL: Key (email)=({CANARY}@example.com) exists"),
    psycopg.errors.SyntaxError(f"LINE 1: SELECT {CANARY} FROM payments"),
    FileNotFoundError(2, "No such file", f"/srv/{CANARY}/key.pem"),
    ConnectionRefusedError(111, f"Connect call failed ('{CANARY}', 5432)"),
    KeyError(CANARY), ValueError(CANARY), RuntimeError(CANARY), AssertionError(CANARY),
    UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY), ExceptionGroup(CANARY, [OSError()]),
]  # fmt: skip
ELSEWHERE = {
    "LISTEN": "127.0.0.1:0",
    "ENVIRONMENT": "development",
    "STRIPE_API_KEY": "sk_test_1",  # pragma: allowlist secret
    **{f"{peer}_TARGET": "127.0.0.1:1" for peer in ("RISK", "PSP", "WALLET", "LEDGER", "PAYMENT")},
}
PAY, LEDGER = "/paymesh.payment.v1.", "/paymesh.ledger.v1.LedgerService/"
GATEWAY = "/paymesh.psp.v1."
ASKED: list[tuple[str, str, Message]] = [
    ("payment_svc", PAY + "PaymentService/GetPayment",
     payment.GetPaymentRequest(payment_id="pay_1")),
    ("payment_svc", PAY + "PaymentService/ListPayments", payment.ListPaymentsRequest()),
    ("payment_svc", PAY + "PaymentService/CancelPayment",
     payment.CancelPaymentRequest(payment_id="pay_1")),
    ("payment_svc", PAY + "WebhookEndpointService/ListEvents", hooks.ListEventsRequest()),
    ("payment_svc", PAY + "OperationsService/DescribeQueues", operations.DescribeQueuesRequest()),
    ("ledger_svc", LEDGER + "ListAccounts", ledger.ListAccountsRequest()),
    ("ledger_svc", LEDGER + "GetTransaction", ledger.GetTransactionRequest(reference="a")),
    ("wallet_svc", "/paymesh.wallet.v1.WalletService/GetWallet",
     wallet.GetWalletRequest(wallet_id="a")),
    ("risk_svc", "/paymesh.risk.v1.RiskService/GetAssessment",
     risk.GetAssessmentRequest(payment_id="pay_1")),
    ("psp_gateway", GATEWAY + "PspGatewayService/ListAttempts",
     psp.ListAttemptsRequest(payment_id="pay_1")),
    ("psp_gateway", GATEWAY + "DisputeService/GetDispute",
     disputes.GetDisputeRequest(dispute_id="dsp_1")),
    ("edge_auth", "/paymesh.edge.v1.ClientService/GetClient",
     edge.GetClientRequest(client_id="demo")),
]  # fmt: skip


async def refused(channel: grpc.aio.Channel, path: str, request: bytes) -> tuple[Any, str]:
    """Call what fails; answer its status, and all that came with it as one text."""
    method = channel.unary_unary(path)
    metadata = (("x-paymesh-client-id", "demo"), ("idempotency-key", "k"))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await method(request, metadata=metadata, timeout=60)
    error = failed.value
    told = [error.details(), list(error.trailing_metadata() or ()), list(error.initial_metadata())]
    return rpc_status.from_call(error), repr(told)


@asynccontextmanager
async def served(service: str, settings: Mapping[str, str]) -> AsyncIterator[grpc.aio.Channel]:
    """Serve a service as its own wiring makes it, without its jobs."""
    environment = Environment(settings)
    server_settings = ServerSettings.read(environment, service)
    async with AsyncExitStack() as stack:
        build = import_module(f"{service}.__main__").build
        wiring: Wiring = await build(server_settings, environment, stack)
        server = make_server(f"{service}.paymesh", 20, 100)
        add_wiring(server, wiring, with_reflection=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, 0)
        yield await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))


@pytest.mark.parametrize("service", sorted({service for service, _, _ in ASKED}))
async def test_a_broken_store_is_an_internal_error(
    service: str, postgres: PostgresServer, redis_url: str
) -> None:
    """With its tables gone each service says INTERNAL, and nothing of what the database said."""
    database = postgres.fresh_database(service)
    context = {"payment_svc": "PAYMENT", "psp_gateway": "PSP", "edge_auth": "EDGE_AUTH"}
    name = context.get(service, service.removesuffix("_svc").upper())
    told = {**ELSEWHERE, "REDIS_URL": redis_url, f"{name}_DATABASE_URL": database.app_url}
    async with served(service, told) as channel:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            names = [row[0] for row in tables.fetchall()]
            for table in names:
                owner.execute(f'ALTER TABLE "{table}" RENAME TO "{CANARY}_{table}"')  # type: ignore[arg-type]
        for _, path, request in (asked for asked in ASKED if asked[0] == service):
            status, written = await refused(channel, path, request.SerializeToString())

            assert status.message == "Internal error.", path
            assert written.count("Internal error.") >= 1
            leaks = [CANARY, "SELECT", "relation", "LINE", "psycopg", "postgres", "127.0.0.1", "/"]
            plain = written.replace("type.googleapis.com/google.rpc.", "")
            assert not [leak for leak in leaks if leak in plain], plain
    assert names


@pytest.mark.parametrize("error", PLANTED, ids=lambda error: type(error).__name__)
async def test_no_error_of_a_stranger_is_repeated(error: Exception) -> None:
    """Whatever is raised in an RPC, a caller reads INTERNAL and a sentence."""

    class Raising(PaymentServiceServicer):
        async def GetPayment(self, _: Any, __: Any) -> payment_pb2.Payment:
            raise error

    server = make_server("test.paymesh", 20, 10)
    add_PaymentServiceServicer_to_server(Raising(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        path = "/paymesh.payment.v1.PaymentService/GetPayment"
        request = payment.GetPaymentRequest(payment_id="pay_1").SerializeToString()
        status, written = await refused(channel, path, request)
    await server.stop(0)

    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.message, info.reason, dict(info.metadata)) == ("Internal error.", "INTERNAL", {})
    assert CANARY not in written


async def test_a_dead_neighbour_has_no_address() -> None:
    """What a channel says of a service that is not there names no host and no port."""
    port = free_port()
    channel = open_channel(f"127.0.0.1:{port}")
    method = channel.unary_unary("/paymesh.wallet.v1.WalletService/GetWallet")

    with pytest.raises(errors.Unavailable) as failed:
        await call(method, b"", 20)
    await channel.close()

    assert str(port) not in json.dumps([failed.value.message, dict(failed.value.metadata)])
    assert "127" not in failed.value.message
