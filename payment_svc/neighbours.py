"""The other services, as payment_svc sees them: channels, and who speaks over them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from paymesh.ledger.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from paymesh.psp.v1 import attempt_resolution_service_pb2 as resolution_wire
from paymesh.psp.v1 import (
    attempt_resolution_service_pb2_grpc,
    psp_gateway_service_pb2,
    psp_gateway_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from paymesh.risk.v1 import risk_service_pb2, risk_service_pb2_grpc
from paymesh.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc

from chassis.channel import open_channel
from payment_svc.audit_books import GrpcLedgerBooks
from payment_svc.audit_ports import AuditWitnesses, LedgerBooks
from payment_svc.audit_witnesses import GrpcAuditWitnesses
from payment_svc.clients import GrpcServices
from payment_svc.operations.attempts import GrpcAttempts
from payment_svc.operations.ports import Attempts
from payment_svc.ports import Returns, Sellers, Services, Witnesses
from payment_svc.returns import GrpcReturns
from payment_svc.sellers import AnySeller, GrpcSellers
from payment_svc.settings import PaymentSettings
from payment_svc.witnesses import GrpcWitnesses

_RESOLVE_TIMEOUT_S = 25.0  # the PSP is asked in it once more, however long that takes


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The other services in each of their roles.

    Attributes:
        services: as the sagas use them.
        sellers: as who knows whom one may pay.
        witnesses: asked what they know of one payment.
        audit_witnesses: asked of many payments by an audit.
        ledger_books: asked of themselves by an audit.
        returns: told of buyers that come back.
        attempts: keeps what operators found out about attempts.
    """

    services: Services
    sellers: Sellers
    witnesses: Witnesses
    audit_witnesses: AuditWitnesses
    ledger_books: LedgerBooks
    returns: Returns
    attempts: Attempts


def connect(settings: PaymentSettings, stack: AsyncExitStack) -> Neighbours:
    """Open channels to the other services; the stack closes them."""
    risk = open_channel(
        settings.risk_target, risk_service_pb2.DESCRIPTOR.services_by_name["RiskService"]
    )
    psp = open_channel(
        settings.psp_target,
        psp_gateway_service_pb2.DESCRIPTOR.services_by_name["PspGatewayService"],
        resolution_wire.DESCRIPTOR.services_by_name["AttemptResolutionService"],
        webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
    )
    wallet = open_channel(
        settings.wallet_target, wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"]
    )
    ledger = open_channel(
        settings.ledger_target, ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]
    )
    for channel in (risk, psp, wallet, ledger):
        stack.push_async_callback(channel.close)
    risks = risk_service_pb2_grpc.RiskServiceStub(risk)
    psps = psp_gateway_service_pb2_grpc.PspGatewayServiceStub(psp)
    wallets = wallet_service_pb2_grpc.WalletServiceStub(wallet)
    books = ledger_service_pb2_grpc.LedgerServiceStub(ledger)
    resolving = attempt_resolution_service_pb2_grpc.AttemptResolutionServiceStub(psp)
    return Neighbours(
        services=GrpcServices(
            risk_stub=risks,
            psp_stub=psps,
            wallet_stub=wallets,
            ledger_stub=books,
            fingerprint_key=settings.fingerprint_key.reveal(),
            timeout_s=settings.rpc_timeout_s,
            auto_open_sellers=settings.auto_open_sellers,
        ),
        sellers=AnySeller()
        if settings.auto_open_sellers
        else GrpcSellers(wallets, settings.rpc_timeout_s),
        witnesses=GrpcWitnesses(
            risk_stub=risks,
            psp_stub=psps,
            wallet_stub=wallets,
            ledger_stub=books,
            inbox_stub=webhook_service_pb2_grpc.WebhookServiceStub(psp),
        ),
        audit_witnesses=GrpcAuditWitnesses(psps, books),
        ledger_books=GrpcLedgerBooks(books),
        returns=GrpcReturns(psps, settings.rpc_timeout_s),
        attempts=GrpcAttempts(resolving, _RESOLVE_TIMEOUT_S),
    )
