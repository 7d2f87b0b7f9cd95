"""Which RPCs change something, and whether the audit log tells of it; else, what does."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Database

_PAYMENT = "paymesh.payment.v1."
# Every change by a client or an operator: one line per object that is changed.
LOGGED: Mapping[str, frozenset[str]] = {
    "edge_auth": frozenset(
        f"paymesh.edge.v1.ClientService/{name}"
        for name in ("CreateClient", "RotateCredential", "RevokeClient", "SetClientLimit")
    ),
    "ledger_svc": frozenset(
        f"paymesh.ledger.v1.LedgerService/{name}"
        for name in ("OpenAccounts", "FreezeAccount", "UnfreezeAccount", "CloseAccount")
    )
    | {"paymesh.ledger.v1.LedgerService/CloseMonth"},
    "wallet_svc": frozenset(
        f"paymesh.wallet.v1.WalletService/{name}"
        for name in ("OpenWallets", "FreezeWallet", "UnfreezeWallet", "CloseWallet")
    )
    | {"paymesh.wallet.v1.WalletService/SetCreditLimit"},
    "psp_gateway": frozenset(
        {
            "paymesh.psp.v1.PspGatewayService/ResetCircuit",
            "paymesh.psp.v1.PspGatewayService/ImportBankStatement",
            "paymesh.psp.v1.AttemptResolutionService/ResolveAttempts",
            "paymesh.psp.v1.DisputeService/SubmitEvidence",
            "paymesh.psp.v1.DisputeService/AcceptDispute",
        }
    ),
    "operators": frozenset(
        f"{_PAYMENT}OperationsService/{name}"
        for name in ("RetrySaga", "RetrySagas", "ResolveSaga", "ApproveResolution")
    )
    | {f"{_PAYMENT}OperationsService/RejectResolution"},
    "clients": frozenset(
        f"{_PAYMENT}PaymentService/{name}"
        for name in ("CreatePayment", "CapturePayment", "CancelPayment", "CreateCheckoutSession")
    )
    | frozenset(
        f"{_PAYMENT}WebhookEndpointService/{name}"
        for name in ("CreateWebhookEndpoint", "DeleteWebhookEndpoint", "RotateWebhookSecret")
    )
    | {f"{_PAYMENT}WebhookEndpointService/RedeliverEvent"},
}
# Our own services' steps for a payment: no person's and no client's word, and kept elsewhere.
NOT_LOGGED: Mapping[str, str] = {
    "paymesh.ledger.v1.LedgerService/PostTransactions": "the books, a chain of their own",
    "paymesh.ledger.v1.LedgerService/ResolveTransactions": "the books, a chain of their own",
    "paymesh.ledger.v1.LedgerService/ReverseTransaction": "the books, with the reason",
    f"{_PAYMENT}PaymentService/ResumePayment": "a buyer's return: changes nothing of ours itself",
    f"{_PAYMENT}PspEventService/ApplyPspEvents": "the gateway's news, in the payment's journal",
    "paymesh.psp.v1.PspGatewayService/ExecuteCharges": "attempts and their trail",
    "paymesh.psp.v1.PspGatewayService/ExecuteRefunds": "attempts and their trail",
    "paymesh.psp.v1.PspGatewayService/ExecuteCaptures": "attempts and their trail",
    "paymesh.psp.v1.PspGatewayService/ExecuteVoids": "attempts and their trail",
    "paymesh.psp.v1.PspGatewayService/ExecutePayouts": "payouts and their trail",
    "paymesh.psp.v1.PspGatewayService/ResumeCharge": "a buyer's return, in the attempt's trail",
    "paymesh.psp.v1.WebhookService/ReceiveWebhook": "a PSP's word, in the inbox",
    "paymesh.risk.v1.RiskService/AssessPayments": "assessments, which never change",
    "paymesh.wallet.v1.WalletService/ApplyOperations": "operations, which never change",
    "paymesh.wallet.v1.WalletService/ReverseOperations": "operations, which never change",
}


async def logged(database: Database) -> list[Mapping[str, Any]]:
    """Read the log, the oldest first, without its first line."""
    return list(await database.read("SELECT * FROM audit_log WHERE sequence > 1 ORDER BY sequence"))


def said(lines: list[Mapping[str, Any]], action: str) -> Mapping[str, Any]:
    """Give the one line of an action."""
    (line,) = [line for line in lines if line["action"].endswith(f"/{action}")]
    return line
