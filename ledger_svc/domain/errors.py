"""Every way in which the ledger says no: one class per reason of `LedgerError.Reason`.

A refusal is the answer to one item of a batch; raised through an RPC it becomes an error with the
same reason.
"""

from collections.abc import Sequence

from chassis.errors import FailedPrecondition, NotFound
from chassis.money import Money


class Refusal(FailedPrecondition):
    """Why an item was not done. It changed nothing."""


class AccountNotFound(Refusal, NotFound):
    """No such account; open it first."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"No account {account_id}; open it first.", accountId=account_id)


class AccountFrozen(Refusal):
    """The account takes no entries for now."""

    reason = "ACCOUNT_FROZEN"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is frozen.", accountId=account_id)


class AccountClosed(Refusal):
    """The account takes no entries ever again."""

    reason = "ACCOUNT_CLOSED"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Account {account_id} is closed.", accountId=account_id)


class AccountDiffers(Refusal):
    """The account is there with another type, currency or floor."""

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


class ReferenceReused(Refusal):
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


class InvalidAmount(Refusal):
    """The amount is no decimal above zero, has too many decimals, or is too large for the books."""

    reason = "INVALID_AMOUNT"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}.", field=field)


class UnknownCurrency(Refusal):
    """The currency is not in ISO 4217."""

    reason = "UNKNOWN_CURRENCY"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is no currency of ISO 4217.", currency=currency)
