"""The domain's objects as messages, and back."""

from decimal import Decimal

from paymesh.wallet.v1 import comparison_pb2 as comparing
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service

from bookkeeping.fields import stamp
from chassis.money import currency_decimals
from wallet_svc.domain import comparison, hold, operation, wallet
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome
from wallet_svc.use_cases.compare_with_ledger import Comparison

KINDS = {kind: noun.Operation.Kind.Value(kind.value) for kind in Kind}
STATUSES = {status: noun.Wallet.Status.Value(status.value) for status in wallet.WalletStatus}
TYPES = {kind: noun.Wallet.AccountType.Value(kind.value) for kind in wallet.AccountType}
HOLD_STATUSES = {status: noun.Hold.Status.Value(status.value) for status in hold.HoldStatus}
CHANGED = {what: noun.WalletChange.What.Value(what.value) for what in wallet.Changed}
VERDICTS = {
    verdict: comparing.WalletDifference.Verdict.Value(verdict.value)
    for verdict in comparison.Verdict
}

_TRANSFERS = (Kind.TRANSFER, Kind.TRANSFER_IN)


def to_result(outcome: ReversalOutcome) -> service.OperationResult:
    """Write what came of a command."""
    if isinstance(outcome, Applied):
        done, replayed = outcome
        return service.OperationResult(operation=to_operation(done), replayed=replayed)
    if isinstance(outcome, Closed):
        return service.OperationResult(closed_before_arrival=True, replayed=outcome.replayed)
    return service.OperationResult(refusal=to_refusal(outcome))


def to_refusal(refusal: Refusal) -> service.Refusal:
    """Write why an item was refused."""
    return service.Refusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata
    )


def to_wallet(found: wallet.Wallet) -> noun.Wallet:
    """Write a wallet."""
    standing, decimals = found.standing, currency_decimals(found.currency)
    return noun.Wallet(
        wallet_id=found.wallet_id,
        client_id=found.client_id,
        owner=found.owner,
        currency=found.currency,
        status=STATUSES[found.status],
        pending=f"{standing.pending:.{decimals}f}",
        available=f"{standing.available:.{decimals}f}",
        held=f"{standing.held:.{decimals}f}",
        operation_count=standing.operation_count,
        account_type=TYPES[found.account_type],
        credit_limit=f"{found.credit_limit:.{decimals}f}",
        version=standing.version,
    )


def to_operation(found: operation.Operation) -> noun.Operation:
    """Write an operation."""
    after, kind = found.after, found.kind
    decimals = currency_decimals(found.currency)
    message = noun.Operation(
        operation_id=found.operation_id,
        wallet_id=found.wallet_id,
        kind=KINDS[kind],
        amount=f"{found.amount:.{decimals}f}",
        currency=found.currency,
        subject_id=found.subject_id,
        pending_after=f"{after.pending:.{decimals}f}",
        available_after=f"{after.available:.{decimals}f}",
        held_after=f"{after.held:.{decimals}f}",
        wallet_sequence=after.operation_count,
        created_at=stamp(found.created_at),
        wallet_version=after.version,
    )
    if kind is Kind.HOLD:
        message.hold_id = found.operation_id
    elif kind in operation.OF_A_HOLD:
        message.hold_id = found.refers_to
    elif kind in _TRANSFERS:
        message.other_wallet_id = found.refers_to
    elif kind is Kind.REVERSAL:
        message.reverses_operation_id = found.refers_to
    return message


def to_hold(found: hold.Hold) -> noun.Hold:
    """Write a hold."""
    return noun.Hold(
        hold_id=found.hold_id,
        wallet_id=found.wallet_id,
        subject_id=found.subject_id,
        currency=found.currency,
        status=HOLD_STATUSES[found.status],
        amount=_text(found.amount, found.currency),
        open_amount=_text(found.open, found.currency),
        captured_amount=_text(found.captured, found.currency),
        released_amount=_text(found.released, found.currency),
        expires_at=None if found.expires_at is None else stamp(found.expires_at),
        created_at=stamp(found.created_at),
    )


def to_change(change: wallet.WalletChange) -> noun.WalletChange:
    """Write a change of a wallet."""
    return noun.WalletChange(
        wallet_id=change.wallet_id,
        version=change.version,
        what=CHANGED[change.what],
        before=change.before,
        after=change.after,
        reason=change.reason,
        actor=change.actor,
        changed_at=stamp(change.changed_at),
    )


def to_comparison(
    told: comparison.WalletDifference | Comparison,
) -> service.CompareWithLedgerResponse:
    """Write what a comparison tells."""
    if isinstance(told, comparison.WalletDifference):
        return service.CompareWithLedgerResponse(difference=_difference(told))
    return service.CompareWithLedgerResponse(
        comparison=comparing.Comparison(
            wallet_count=told.wallet_count,
            difference_count=told.difference_count,
            unexplained_count=told.unexplained_count,
            is_done=told.is_done,
            account_count=told.account_count,
        )
    )


def _difference(found: comparison.WalletDifference) -> comparing.WalletDifference:
    return comparing.WalletDifference(
        wallet_id=found.wallet_id,
        currency=found.currency,
        wallet_total=_text(found.wallet_total, found.currency),
        ledger_balance=_text(found.ledger_balance, found.currency),
        difference=_text(found.difference, found.currency),
        verdict=VERDICTS[found.verdict],
        subjects=[
            comparing.SubjectDifference(
                subject_id=subject.subject_id,
                wallet_sum=_text(subject.wallet_sum, found.currency),
                ledger_sum=_text(subject.ledger_sum, found.currency),
                difference=_text(subject.wallet_sum - subject.ledger_sum, found.currency),
                verdict=VERDICTS[subject.verdict],
                newest_at=stamp(subject.newest_at),
            )
            for subject in found.subjects
        ],
        compared_from=None if found.since is None else stamp(found.since),
        earlier_difference=_text(found.earlier, found.currency),
        has_no_wallet=not found.has_wallet,
        is_unfounded=found.is_unfounded,
    )


def _text(amount: Decimal, currency: str) -> str:
    return f"{amount:.{currency_decimals(currency)}f}"
