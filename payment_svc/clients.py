"""The other services behind the `Services` port: calls coalesced into batches, answers as outcomes.

A refusal is an outcome; so is trouble. Nothing here raises for what another service does.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis.channel import call
from chassis.coalescer import Coalescer
from chassis.errors import InvalidRequest, PaymeshError, ResourceExhausted
from payment_svc import messages
from payment_svc.domain import books
from payment_svc.domain.payment import Payment
from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    PostKeptCharge,
    PostLateCharge,
    RefundCharge,
    ReleaseSuspense,
    ReverseCredits,
    ReversePosting,
    SettleCredits,
    VoidCharge,
)
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Stuck
from privacy.trace import TRACEPARENT

if TYPE_CHECKING:  # the generated modules hold them for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub
    from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceAsyncStub
    from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceAsyncStub
    from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceAsyncStub

# A slow charge holds the answer of its batch, so several batches may be under way; the fewer, the
# larger and cheaper they are under load.
_PSP_IN_FLIGHT_MAX = 16
_KNOWN_ACCOUNTS_MAX = 100_000


class GrpcServices:
    """`ports.Services` over gRPC.

    Args:
        fingerprint_key: hashes card tokens for risk_svc, which never sees one.
        auto_open_sellers: open a seller's wallet on first use.
        timeout_s: for one RPC.
    """

    def __init__(
        self,
        *,
        risk_stub: "RiskServiceAsyncStub",
        psp_stub: "PspGatewayServiceAsyncStub",
        wallet_stub: "WalletServiceAsyncStub",
        ledger_stub: "LedgerServiceAsyncStub",
        fingerprint_key: bytes,
        timeout_s: float,
        auto_open_sellers: bool = True,
    ) -> None:
        self._key = fingerprint_key
        self._auto_open = auto_open_sellers
        self._timeout_s = timeout_s
        self._known: set[str] = set()
        self._reverse = ledger_stub.ReverseTransaction
        made = self._batched
        self._assess = made(
            risk_stub.AssessPayments, risk.AssessPaymentsRequest, "payments", "assessments"
        )
        many = _PSP_IN_FLIGHT_MAX
        self._charge = made(
            psp_stub.ExecuteCharges, psp.ExecuteChargesRequest, "charges", in_flight_max=many
        )
        self._capture = made(
            psp_stub.ExecuteCaptures, psp.ExecuteCapturesRequest, "captures", in_flight_max=many
        )
        self._void = made(
            psp_stub.ExecuteVoids, psp.ExecuteVoidsRequest, "voids", in_flight_max=many
        )
        self._refund = made(
            psp_stub.ExecuteRefunds, psp.ExecuteRefundsRequest, "refunds", in_flight_max=many
        )
        self._open_wallet = made(wallet_stub.OpenWallets, wallet.OpenWalletsRequest, "wallets")
        self._operate = made(
            wallet_stub.ApplyOperations, wallet.ApplyOperationsRequest, "operations"
        )
        self._take_back = made(
            wallet_stub.ReverseOperations, wallet.ReverseOperationsRequest, "operation_ids"
        )
        self._open_account = made(ledger_stub.OpenAccounts, ledger.OpenAccountsRequest, "accounts")
        self._post = made(ledger_stub.PostTransactions, ledger.PostTransactionsRequest, "postings")

    async def perform(self, command: Command) -> Outcome:
        """See `ports.Services.perform`."""
        try:
            return await self._dispatch(command)
        except InvalidRequest as error:
            return Stuck(f"INVALID_REQUEST: {error.message}")
        except ResourceExhausted as error:
            return Again(f"{type(command).__name__}: {error.reason}", after=error.retry_after)
        except PaymeshError as error:
            return Again(f"{type(command).__name__}: {error.reason}")

    async def _dispatch(self, command: Command) -> Outcome:
        match command:
            case AssessPayment():
                return await self._assess_payment(command)
            case ExecuteCharge():
                return messages.charge_outcome(await self._charge(messages.charge(command)))
            case CaptureCharge():
                return messages.charge_outcome(await self._capture(messages.capture(command)))
            case VoidCharge():
                result = await self._void(messages.void(command))
                return messages.undo_outcome(result, "voided")
            case RefundCharge():
                return messages.undo_outcome(
                    await self._refund(messages.refund(command)), "refunded"
                )
            case CreditWallets():
                return await self._apply(messages.credits(command))
            case SettleCredits():
                return await self._apply(messages.settlements(command))
            case ReverseCredits():
                return await self._all(map(self._take_back, command.operation_ids))
            case PostCapture():
                return await self._post_capture(command)
            case PostLateCharge():
                return await self._post_suspense(command, messages.late_charge(command))
            case PostKeptCharge():
                return await self._post_suspense(command, messages.kept_charge(command))
            case ReleaseSuspense():
                return await self._post_suspense(command, messages.suspense_release(command))
            case ReversePosting():
                request = messages.reversal(command)
                return messages.item_outcome(await call(self._reverse, request, self._timeout_s))

    async def _assess_payment(self, command: AssessPayment) -> Outcome:
        """Ask risk_svc and make sure of the sellers at once; a refusal by risk comes first."""
        payment = command.payment
        assessment, sellers = await asyncio.gather(
            self._assess(messages.facts(payment, self._fingerprint(payment))),
            self._make_sure(command),
        )
        assessed = messages.assessment_outcome(assessment)
        return sellers if isinstance(assessed, Done) and not isinstance(sellers, Done) else assessed

    def _fingerprint(self, payment: Payment) -> str:
        """Hash the card's token; empty where the buyer pays on the PSP's page."""
        if payment.payment_token is None:
            return ""
        token = payment.payment_token.reveal().encode()
        return hmac.new(self._key, token, hashlib.sha256).hexdigest()

    async def _make_sure(self, command: AssessPayment) -> Outcome:
        """Open the sellers' wallets and accounts unless they are known to be open."""
        payment = command.payment
        names = {books.order_wallet(payment, o): o.seller_account for o in command.orders}
        missing = {name: seller for name, seller in names.items() if name not in self._known}
        if not missing:
            return Done()
        wallets = missing if self._auto_open else {}
        opening = [messages.wallet_of(name, s, payment) for name, s in wallets.items()]
        opened, accounts = await asyncio.gather(
            self._all(map(self._open_wallet, opening), messages.wallet_outcome),
            self._all(self._open_account(messages.payable(n, payment.currency)) for n in missing),
        )
        if isinstance(opened, Done):
            opened = accounts
        if isinstance(opened, Done):
            self._remember(missing)
        return opened

    async def _post_capture(self, command: PostCapture) -> Outcome:
        currency = command.amount.currency
        opened = await self._open(books.clearing_account(command.psp, currency), currency)
        if not isinstance(opened, Done):
            return opened
        return messages.posting_outcome(await self._post(messages.posting(command)))

    async def _post_suspense(
        self, command: PostLateCharge | PostKeptCharge | ReleaseSuspense, posting: Any
    ) -> Outcome:
        currency = command.amount.currency
        for name in (books.clearing_account, books.suspense_account):
            opened = await self._open(name(command.psp, currency), currency)
            if not isinstance(opened, Done):
                return opened
        return messages.posting_outcome(await self._post(posting))

    async def _open(self, account: str, currency: str) -> Outcome:
        """Open an account of what others hold for us, unless it is known to be open."""
        if account in self._known:
            return Done()
        opened = messages.item_outcome(
            await self._open_account(messages.clearing(account, currency))
        )
        if isinstance(opened, Done):
            self._remember([account])
        return opened

    async def _apply(self, operations: Sequence[wallet.NewOperation]) -> Outcome:
        return await self._all(map(self._operate, operations))

    async def _all(self, calls: Any, read: Any = messages.item_outcome) -> Outcome:
        """Await item calls; the first refusal counts, and forgets what was thought to be open."""
        outcomes = [read(answer) for answer in await asyncio.gather(*calls)]
        refused = next((o for o in outcomes if isinstance(o, Refused)), None)
        if refused is not None:
            self._known.clear()
        return refused or Done()

    def _remember(self, names: Any) -> None:
        if len(self._known) > _KNOWN_ACCOUNTS_MAX:
            self._known.clear()
        self._known.update(names)

    def _batched(
        self,
        method: Callable[..., Any],
        request: Callable[..., Any],
        asked: str,
        answered: str = "results",
        in_flight_max: int = 1,
    ) -> Callable[[Any], Awaitable[Any]]:
        """Make a single-item call out of a batch RPC, `asked` and `answered` being the fields that
        hold the items and their answers; a batch that is malformed is bisected.
        """

        async def run(traced: Sequence[tuple[str, Any]]) -> Sequence[Any]:
            # A call has one trace; a batch of several goes on with that of its first item.
            TRACEPARENT.set(traced[0][0])
            items = [item for _, item in traced]
            response = await call(method, request(**{asked: items}), self._timeout_s)
            answers: Sequence[Any] = getattr(response, answered)
            return answers

        coalescer: Coalescer[Any, Any] = Coalescer(
            run, in_flight_max=in_flight_max, bisect_on=(InvalidRequest,)
        )
        return lambda item: coalescer.submit((TRACEPARENT.get(), item))
