"""Operations: asked for, then applied once, and never changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis import money
from chassis.money import Money
from wallet_svc.domain import errors
from wallet_svc.domain.wallet import Change

REVERSAL_SUFFIX = ":reversal"


def reversal_id(operation_id: str) -> str:
    """Name the operation that reverses `operation_id`."""
    return operation_id + REVERSAL_SUFFIX


class Kind(StrEnum):
    """What an operation does."""

    CREDIT = "CREDIT"
    SETTLE = "SETTLE"
    REVERSAL = "REVERSAL"


@dataclass(frozen=True, slots=True)
class NewOperation:
    """A CREDIT or SETTLE to be applied; its amount is above zero."""

    operation_id: str
    wallet_id: str
    kind: Kind
    amount: Money
    subject_id: str = ""

    @classmethod
    def parse(
        cls,
        operation_id: str,
        *,
        wallet_id: str,
        kind: Kind,
        amount: str,
        currency: str,
        subject_id: str,
    ) -> "NewOperation":
        """Read an operation.

        Raises:
            InvalidAmount: the amount is no decimal above zero, or has too many decimals.
            UnknownCurrency: it is not in ISO 4217.
        """
        try:
            parsed = Money.parse(amount, currency)
        except money.InvalidAmount as error:
            raise errors.InvalidAmount("amount", str(error)) from error
        except money.UnknownCurrency as error:
            raise errors.UnknownCurrency(currency) from error
        return cls(operation_id, wallet_id, kind, parsed, subject_id)

    @property
    def change(self) -> Change:
        """What it adds to the balances."""
        if self.kind is Kind.SETTLE:
            return Change(pending=-self.amount, available=self.amount)
        return Change(pending=self.amount, available=Money.zero(self.amount.currency))


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of a wallet, with what it left there. Never changed itself.

    `wallet_sequence` is its place in the wallet's history, from 1, without gaps; `reverses` is the
    id of the CREDIT that a REVERSAL takes back, empty for others.
    """

    operation_id: str
    wallet_id: str
    kind: Kind
    amount: Money
    subject_id: str
    change: Change
    pending_after: Money
    available_after: Money
    held_after: Money
    wallet_sequence: int
    created_at: datetime
    reverses: str = ""

    def require_same(self, asked: NewOperation) -> None:
        """Hold it against an operation to be applied under its id.

        Raises:
            OperationReused: naming what differs.
        """
        pairs = {
            "walletId": (self.wallet_id, asked.wallet_id),
            "kind": (self.kind, asked.kind),
            "amount": (self.amount.amount, asked.amount.amount),
            "currency": (self.amount.currency, asked.amount.currency),
            "subjectId": (self.subject_id, asked.subject_id),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.OperationReused(self.operation_id, differs)
