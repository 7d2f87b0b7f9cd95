"""Every way in which the ledger says no: one class per reason of `LedgerError.Reason`.

A refusal is the answer to one item of a batch; raised through an RPC it becomes an error with the
same reason. What the wallets have too is in `bookkeeping.refusals`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from bookkeeping.refusals import InvalidAmount as InvalidAmount
from bookkeeping.refusals import Refusal as Refusal
from bookkeeping.refusals import UnknownCurrency as UnknownCurrency
from chassis.errors import AlreadyExists, FailedPrecondition, NotFound
from chassis.money import Money


class AccountNotFound(Refusal, NotFound):
    """No such account; open it first."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"No account {account_id}; open it first.", accountId=account_id)


class AccountFrozen(Refusal):
    """The account takes nothing new for now."""

    reason = "ACCOUNT_FROZEN"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is frozen.", accountId=account_id)


class AccountClosed(Refusal):
    """The account takes no entries ever again."""

    reason = "ACCOUNT_CLOSED"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is closed.", accountId=account_id)


class AccountDiffers(Refusal):
    """The account is there with another type, currency, floor or ceiling."""

    reason = "ACCOUNT_DIFFERS"

    def __init__(self, account_id: str, differs: Sequence[str]) -> None:
        named = ",".join(differs)
        super().__init__(
            f"Account {account_id} is there with another {named}.",
            accountId=account_id,
            differs=named,
        )


class CurrencyMismatch(Refusal):
    """An entry's currency is not its account's."""

    reason = "CURRENCY_MISMATCH"

    def __init__(self, account_id: str, *, account_currency: str, entry_currency: str) -> None:
        super().__init__(
            f"Account {account_id} is in {account_currency}, the entry in {entry_currency}.",
            accountId=account_id,
            accountCurrency=account_currency,
            entryCurrency=entry_currency,
        )


class Unbalanced(Refusal):
    """Debits and credits differ in one currency."""

    reason = "UNBALANCED"

    def __init__(self, currency: str, *, debits: str, credits_: str) -> None:
        super().__init__(
            f"Debits are {debits} {currency}, credits {credits_}; make them equal.",
            currency=currency,
            debits=debits,
            credits=credits_,
        )


class FloorPassed(Refusal):
    """An entry would leave its account below the floor."""

    reason = "FLOOR_PASSED"

    def __init__(self, account_id: str, *, balance: Money, floor: Money) -> None:
        super().__init__(
            f"Account {account_id} has {balance}; it may not fall below {floor}.",
            accountId=account_id,
            balance=balance,
            floor=floor,
        )


class ReferenceReused(Refusal, AlreadyExists):
    """The reference was posted with other entries."""

    reason = "REFERENCE_REUSED"

    def __init__(self, reference: str, differs: Sequence[str]) -> None:
        named = ",".join(differs)
        super().__init__(
            f"Reference {reference} was posted with other {named}.",
            reference=reference,
            differs=named,
        )


class ReversedBeforeArrival(Refusal):
    """The reference was reversed before it arrived, and is closed for ever."""

    reason = "REVERSED_BEFORE_ARRIVAL"

    def __init__(self, reference: str) -> None:
        super().__init__(f"Reference {reference} was reversed already.", reference=reference)


class TransactionNotFound(Refusal, NotFound):
    """No transaction has the reference."""

    reason = "TRANSACTION_NOT_FOUND"

    def __init__(self, reference: str) -> None:
        super().__init__(f"No transaction has reference {reference}.", reference=reference)


class CeilingPassed(Refusal):
    """An entry would leave its account above the ceiling."""

    reason = "CEILING_PASSED"

    def __init__(self, account_id: str, *, balance: Money, ceiling: Money) -> None:
        super().__init__(
            f"Account {account_id} has {balance}; it may not rise above {ceiling}.",
            accountId=account_id,
            balance=balance,
            ceiling=ceiling,
        )


class LinkedRefused(Refusal):
    """Another item of the chain was refused, so this one was not done either."""

    reason = "LINKED_REFUSED"

    def __init__(self, reference: str) -> None:
        super().__init__(f"Linked with {reference}, which was refused.", reference=reference)


class AccountNotEmpty(Refusal):
    """An account is closed when nothing stands on it and nothing is pending."""

    reason = "ACCOUNT_NOT_EMPTY"

    def __init__(
        self, account_id: str, *, balance: Money, pending_in: Money, pending_out: Money
    ) -> None:
        super().__init__(
            f"Account {account_id} has {balance}, {pending_in} coming and {pending_out} going"
            " pending; bring all to zero first.",
            accountId=account_id,
            balance=balance,
            pendingIn=pending_in,
            pendingOut=pending_out,
        )


class AlreadyResolved(Refusal):
    """The pending transaction has ended in another way."""

    reason = "ALREADY_RESOLVED"

    def __init__(self, reference: str, kind: str) -> None:
        super().__init__(f"{reference} has ended: {kind}.", reference=reference, kind=kind)


class NotPending(Refusal):
    """Only a pending transaction can be resolved."""

    reason = "NOT_PENDING"

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} is not pending.", reference=reference)


class StillPending(Refusal):
    """A pending transaction is resolved, not reversed."""

    reason = "STILL_PENDING"

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference} only reserves: void it, or reverse what it was posted as.",
            reference=reference,
        )


class PartTooLarge(Refusal):
    """More would be posted than is pending, or taken back than is left."""

    reason = "PART_TOO_LARGE"

    def __init__(self, reference: str, account_id: str, side: str, *, left: Decimal) -> None:
        super().__init__(
            f"Of {reference} {left} is left on the {side.lower()} side of {account_id}.",
            reference=reference,
            accountId=account_id,
            side=side,
            left=left,
        )


class NothingLeft(Refusal):
    """All of the transaction has been taken back."""

    reason = "NOTHING_LEFT"

    def __init__(self, reference: str) -> None:
        super().__init__(f"All of {reference} has been taken back.", reference=reference)


class ExpiredBeforeArrival(Refusal):
    """A pending transaction must expire after now."""

    reason = "EXPIRED_BEFORE_ARRIVAL"

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} would have expired already.", reference=reference)


class EffectTooFar(Refusal):
    """A transaction counts from no later than 366 days after it is written."""

    reason = "EFFECT_TOO_FAR"

    def __init__(self, reference: str, latest: datetime) -> None:
        super().__init__(
            f"{reference} may count from no later than {latest.isoformat()}.",
            reference=reference,
            latest=latest.isoformat(),
        )


class Archived(Refusal):
    """The transaction was written in a month that is archived: it stands, and cannot be read."""

    reason = "ARCHIVED"

    def __init__(self, reference: str, transaction_id: str) -> None:
        super().__init__(
            f"{reference} was written in a month that is archived.",
            reference=reference,
            transactionId=transaction_id,
        )


class PeriodArchived(FailedPrecondition):
    """What was written then is archived."""

    reason = "PERIOD_ARCHIVED"

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"What was written before {until.isoformat()} is archived; ask from then on.",
            archivedUntil=until.isoformat(),
        )


class MonthNotOver(FailedPrecondition):
    """A month is closed when it has been over for an hour."""

    reason = "MONTH_NOT_OVER"

    def __init__(self, month: str, over: datetime) -> None:
        super().__init__(
            f"{month} can be closed from {over.isoformat()} on.", month=month, over=over.isoformat()
        )


class MonthClosed(FailedPrecondition):
    """A later month was closed, and this one with it."""

    reason = "MONTH_CLOSED"

    def __init__(self, month: str, until: datetime) -> None:
        super().__init__(
            f"{month} was closed with all that was written before {until.isoformat()}.",
            month=month,
            closedUntil=until.isoformat(),
        )


class BooksUnsound(FailedPrecondition):
    """Verification found what is wrong, so the month was not closed."""

    reason = "BOOKS_UNSOUND"

    def __init__(self, month: str, offence_count: int) -> None:
        super().__init__(
            f"{offence_count} things are wrong, so {month} was not closed.",
            month=month,
            offenceCount=offence_count,
        )
