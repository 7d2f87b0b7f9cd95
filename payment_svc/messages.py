"""Commands as the other services' messages, and their answers as outcomes. Pure."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from paymesh.ledger.v1 import ledger_pb2, posting_pb2, template_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import attempt_pb2, provider_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.wallet.v1 import wallet_pb2
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from payment_svc.domain import books
from payment_svc.domain.checkout_page import CheckoutPage, session_of
from payment_svc.domain.payment import Buyer, Payment, PaymentMethod
from payment_svc.sagas.commands import (
    CaptureCharge,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    PostKeptCharge,
    PostLateCharge,
    RefundCharge,
    ReleaseSuspense,
    ReversePosting,
    SettleCredits,
    VoidCharge,
    WalletOperation,
)
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Waiting
from privacy.masked import revealed

_Attempt = attempt_pb2.Attempt


def facts(payment: Payment, card_fingerprint: str) -> risk.PaymentFacts:
    """Tell risk_svc what it judges by; never the token."""
    buyer = payment.buyer
    return risk.PaymentFacts(
        payment_id=payment.payment_id,
        client_id=payment.client_id,
        buyer_id=buyer.buyer_id,
        card_fingerprint=card_fingerprint,
        ip_address=revealed(buyer.ip_address),
        amount=str(payment.amount),
        currency=payment.currency,
        seller_accounts=sorted({order.seller_account for order in payment.orders}),
        country_code=buyer.country_code,
    )


def assessment_outcome(assessment: risk.Assessment) -> Outcome:
    """Read a decision; anything but APPROVED is a no."""
    if assessment.decision == risk.Assessment.APPROVED:
        return Done(detail="approved")
    rules = ", ".join(hit.rule for hit in assessment.rule_hits)
    return Refused("RISK_REFUSED", f"Refused by risk rules: {rules}.")


def charge(command: ExecuteCharge) -> psp.ChargeCommand:
    """Write a charge."""
    message = psp.ChargeCommand(
        attempt_id=command.attempt_id,
        payment_id=command.payment_id,
        client_id=command.client_id,
        amount=str(command.amount),
        currency=command.amount.currency,
        payment_token=revealed(command.payment_token) or "",
        capture_method=psp.ChargeCommand.MANUAL if command.is_held else psp.ChargeCommand.AUTOMATIC,
        is_last_try=command.is_last_try,
        payment_method=_PAYMENT_METHODS[command.method],
    )
    if command.page is not None:
        message.preferred_psp = command.page.preferred_psp
        message.hosted_page.CopyFrom(_page(command.page, command.payment_id, command.buyer))
    return message


def _page(page: CheckoutPage, payment_id: str, buyer: Buyer | None) -> psp.HostedPage:
    session_id = session_of(payment_id)
    message = psp.HostedPage(
        success_url=_with_session(page.success_url, session_id),
        cancel_url=_with_session(page.cancel_url, session_id),
        description=page.description,
        locale=page.locale,
        buyer_email=revealed(buyer.email if buyer else None) or "",
    )
    message.expires_at.FromDatetime(page.expires_at)
    return message


def _with_session(url: str, session_id: str) -> str:
    """Tell the client's site which session the buyer comes from."""
    return f"{url}{'&' if '?' in url else '?'}checkout_session_id={session_id}"


def capture(command: CaptureCharge) -> psp.CaptureCommand:
    """Write a capture."""
    return psp.CaptureCommand(
        attempt_id=command.attempt_id,
        charge_attempt_id=command.charge_attempt_id,
        amount=str(command.amount),
        currency=command.amount.currency,
    )


def void(command: VoidCharge) -> psp.VoidCommand:
    """Write a void."""
    return psp.VoidCommand(
        attempt_id=command.attempt_id,
        charge_attempt_id=command.charge_attempt_id,
        amount=str(command.amount),
        currency=command.amount.currency,
    )


def refund(command: RefundCharge) -> psp.RefundCommand:
    """Write a refund."""
    return psp.RefundCommand(
        attempt_id=command.attempt_id,
        charge_attempt_id=command.charge_attempt_id,
        amount=str(command.amount),
        currency=command.amount.currency,
    )


def charge_outcome(result: psp.AttemptResult) -> Outcome:
    """Read what came of a charge; a value we do not know is unknown, never yes or no."""
    if result.WhichOneof("result") == "refusal":
        return Refused(result.refusal.reason, result.refusal.message)
    attempt = result.attempt
    reading = _ATTEMPT_OUTCOMES.get(attempt.outcome, _unknown)
    return reading(attempt)


def undo_outcome(result: psp.AttemptResult, done: str) -> Outcome:
    """Read what came of a refund or a void; its facts must not overwrite those of the charge."""
    outcome = charge_outcome(result)
    if isinstance(outcome, Done):
        reference = outcome.facts["psp_reference"]
        return Done({f"{done}_reference": reference}, f"{done} as {reference}")
    return outcome


def _succeeded(attempt: attempt_pb2.Attempt) -> Outcome:
    facts = {"psp": attempt.psp, "psp_reference": attempt.psp_reference}
    if attempt.kind == _Attempt.AUTHORIZATION:
        # What is held is neither charged nor to be refunded: only the hold's end is remembered.
        facts = {"psp": attempt.psp, "expires_at": attempt.expires_at.ToDatetime(UTC).isoformat()}
    return Done(facts, f"{attempt.psp} {attempt.psp_reference}")


def _declined(attempt: attempt_pb2.Attempt) -> Outcome:
    return Refused(attempt.reason, attempt.message, attempt.psp_code)


def _action_required(attempt: attempt_pb2.Attempt) -> Outcome:
    return Waiting("ACTION_REQUIRED", redirect_url=attempt.redirect_url)


def _pending(attempt: attempt_pb2.Attempt) -> Outcome:
    is_debit = attempt.payment_method == provider_pb2.BANK_DEBIT
    return Waiting(
        "DEBIT_PENDING" if is_debit else "PSP_PENDING",
        slow=is_debit,
        unheard=attempt.is_put_off or attempt.delivery != _Attempt.ANSWERED,
        after=_after(attempt),
    )


def _transient(attempt: attempt_pb2.Attempt) -> Outcome:
    return Again(
        attempt.reason or "PSP_TRANSIENT",
        from_psp=True,
        after=_after(attempt),
        is_put_off=attempt.is_put_off,
    )


def _unknown(attempt: attempt_pb2.Attempt) -> Outcome:
    return Waiting(attempt.reason or "OUTCOME_UNKNOWN", unknown=True, after=_after(attempt))


def _after(attempt: attempt_pb2.Attempt) -> timedelta | None:
    return attempt.retry_after.ToTimedelta() if attempt.HasField("retry_after") else None


_PAYMENT_METHODS = {
    method: provider_pb2.PaymentMethod.Value(method.value) for method in PaymentMethod
}
_ATTEMPT_OUTCOMES: dict[int, Callable[[attempt_pb2.Attempt], Outcome]] = {
    _Attempt.SUCCEEDED: _succeeded,
    _Attempt.DECLINED: _declined,
    _Attempt.ACTION_REQUIRED: _action_required,
    _Attempt.PENDING: _pending,
    _Attempt.TRANSIENT: _transient,
    _Attempt.UNKNOWN: _unknown,
}


def wallet_of(name: str, seller: str, payment: Payment) -> wallet.NewWallet:
    """Write a seller's wallet to be opened."""
    return wallet.NewWallet(
        wallet_id=name, client_id=payment.client_id, owner=seller, currency=payment.currency
    )


def payable(name: str, currency: str) -> posting_pb2.NewAccount:
    """Write the account of what we owe a seller."""
    return posting_pb2.NewAccount(
        account_id=name, type=ledger_pb2.Account.LIABILITY, currency=currency
    )


def clearing(name: str, currency: str) -> posting_pb2.NewAccount:
    """Write the account of what a PSP holds for us, or of what is in suspense."""
    return posting_pb2.NewAccount(account_id=name, type=ledger_pb2.Account.ASSET, currency=currency)


def credits(command: CreditWallets) -> list[wallet.NewOperation]:
    """Write the sellers' credits."""
    kind = wallet_pb2.Operation.CREDIT
    return [_operation(op, kind, command.payment_id) for op in command.operations]


def settlements(command: SettleCredits) -> list[wallet.NewOperation]:
    """Write what makes the credits available."""
    kind = wallet_pb2.Operation.SETTLE
    return [_operation(op, kind, command.payment_id) for op in command.operations]


def _operation(
    operation: WalletOperation, kind: wallet_pb2.Operation.Kind.ValueType, payment_id: str
) -> wallet.NewOperation:
    return wallet.NewOperation(
        operation_id=operation.operation_id,
        wallet_id=operation.wallet_id,
        kind=kind,
        amount=str(operation.amount),
        currency=operation.amount.currency,
        subject_id=payment_id,
    )


def posting(command: PostCapture) -> posting_pb2.Posting:
    """Write the booking of a charge; the ledger's rule knows whom to debit and credit."""
    captured = template_pb2.Captured(
        scope=command.scope,
        psp=command.psp,
        client_id=command.client_id,
        currency=command.amount.currency,
        amount=str(command.amount),
        shares=[
            template_pb2.TemplateShare(seller=seller, amount=str(amount))
            for seller, amount in command.shares
        ],
    )
    return _posting(command, template_pb2.PostingTemplate(version=1, captured=captured))


def late_charge(command: PostLateCharge) -> posting_pb2.Posting:
    """Write the booking of a late charge."""
    late = template_pb2.LateCharged(
        attempt_id=command.attempt_id,
        psp=command.psp,
        currency=command.amount.currency,
        amount=str(command.amount),
    )
    return _posting(command, template_pb2.PostingTemplate(version=1, late_charged=late))


def kept_charge(command: PostKeptCharge) -> posting_pb2.Posting:
    """Write the booking of a charge that its PSP has still."""
    kept = template_pb2.ChargeKept(
        attempt_id=command.attempt_id,
        psp=command.psp,
        currency=command.amount.currency,
        amount=str(command.amount),
    )
    return _posting(command, template_pb2.PostingTemplate(version=1, charge_kept=kept))


def suspense_release(command: ReleaseSuspense) -> posting_pb2.Posting:
    """Write the booking of a late charge that was given back: a surplus, explained."""
    released = template_pb2.SuspenseReleased(
        release_id=command.attempt_id,
        source=command.psp,
        excess=template_pb2.SuspenseReleased.SURPLUS,
        currency=command.amount.currency,
        amount=str(command.amount),
        explained_by=books.clearing_account(command.psp, command.amount.currency),
    )
    return _posting(command, template_pb2.PostingTemplate(version=1, suspense_released=released))


def reversal(command: ReversePosting) -> ledger.ReverseTransactionRequest:
    """Write a reversal."""
    return ledger.ReverseTransactionRequest(reference=command.reference, reason=command.reason)


def posting_outcome(result: posting_pb2.PostingResult) -> Outcome:
    """Read what came of a booking."""
    outcome = item_outcome(result)
    if isinstance(outcome, Done):
        return Done(
            {"transaction_id": result.transaction.transaction_id}, result.transaction.transaction_id
        )
    return outcome


def item_outcome(result: Any) -> Outcome:
    """Read an item's answer: a refusal is a no, anything else is done."""
    if result.WhichOneof("outcome") == "refusal":
        return Refused(result.refusal.reason, result.refusal.message)
    return Done()


def wallet_outcome(result: wallet.OpenWalletResult) -> Outcome:
    """Read what came of opening a wallet: one that takes no credit is a no before the charge."""
    reason = _SHUT.get(result.wallet.status)
    if reason is not None:
        return Refused(reason, f"Wallet {result.wallet.wallet_id} takes no credit.")
    return item_outcome(result)


_SHUT = {
    wallet_pb2.Wallet.FROZEN: "WALLET_FROZEN",
    wallet_pb2.Wallet.CLOSED: "WALLET_CLOSED",
}


def _posting(
    command: PostCapture | PostLateCharge | PostKeptCharge | ReleaseSuspense,
    template: template_pb2.PostingTemplate,
) -> posting_pb2.Posting:
    return posting_pb2.Posting(
        reference=command.reference, template=template, subject_id=command.payment_id
    )
