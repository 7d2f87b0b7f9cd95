"""Operations: asked for, then applied once, and never changed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from wallet_svc.domain import errors
from wallet_svc.domain.wallet import Change, Standing

REVERSAL_SUFFIX = ":reversal"
EXPIRY_SUFFIX = ":expiry"
INCOMING_SUFFIX = ":in"


def reversal_id(operation_id: str) -> str:
    """Name the operation that reverses `operation_id`."""
    return operation_id + REVERSAL_SUFFIX


def expiry_id(hold_id: str) -> str:
    """Name the operation that expires a hold."""
    return hold_id + EXPIRY_SUFFIX


def own_kind(operation_id: str) -> "Kind | None":
    """Tell what the wallets themselves name so, None for nothing: who took the name of a reversal
    or an expiry, or closed it, would keep the credit or the hold from its end for ever.
    """
    if operation_id.endswith(REVERSAL_SUFFIX):
        return Kind.REVERSAL
    return Kind.EXPIRE if operation_id.endswith(EXPIRY_SUFFIX) else None


def incoming_id(operation_id: str) -> str:
    """Name the operation by which the other wallet takes what the transfer `operation_id` gives."""
    return operation_id + INCOMING_SUFFIX


class Kind(StrEnum):
    """What an operation does; `movements` says what it moves, `takes` who takes it."""

    CREDIT = "CREDIT"
    SETTLE = "SETTLE"
    REVERSAL = "REVERSAL"
    DEBIT = "DEBIT"
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"
    HOLD = "HOLD"
    CAPTURE_HOLD = "CAPTURE_HOLD"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    TRANSFER = "TRANSFER"
    TRANSFER_IN = "TRANSFER_IN"


# These let the rest of a hold go, whatever it is, so nobody says how much.
WITHOUT_AMOUNT = frozenset({Kind.RELEASE, Kind.EXPIRE})
# These are for a hold that is there.
OF_A_HOLD = frozenset({Kind.CAPTURE_HOLD, Kind.RELEASE, Kind.EXPIRE})
# These take first what their subject has in pending.
TAKING_BACK = frozenset({Kind.REVERSAL, Kind.REFUND, Kind.CHARGEBACK})


class NewOperation(NamedTuple):
    """An operation to be applied.

    `amount` is above zero; zero for the kinds that let the rest of a hold go. `refers_to` is the
    hold of CAPTURE_HOLD, RELEASE and EXPIRE, the other wallet of TRANSFER, the credit of REVERSAL.
    A tuple, since a batch makes thousands.
    """

    operation_id: str
    wallet_id: str
    kind: Kind
    amount: Decimal
    currency: str
    subject_id: str = ""
    refers_to: str = ""
    releases_rest: bool = False
    expires_at: datetime | None = None
    expected_version: int | None = None
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class Reversal:
    """Asks to take a CREDIT back, or to close its id if it is not there."""

    operation_id: str


Command = NewOperation | Reversal


class Operation(NamedTuple):
    """A change of a wallet, with what it left there. Never changed itself.

    `after.operation_count` is its place in the wallet's history, from 1, without gaps. `amount` is
    what was asked for: of a hold that is let go, what was open. `refers_to` as in `NewOperation`;
    for TRANSFER_IN, the wallet that gave.
    """

    operation_id: str
    wallet_id: str
    kind: Kind
    amount: Decimal
    currency: str
    subject_id: str
    refers_to: str
    releases_rest: bool
    change: Change
    after: Standing
    created_at: datetime

    @property
    def sequence(self) -> int:
        """Its place in the wallet's history."""
        return self.after.operation_count

    def require_same(self, asked: NewOperation, expires_at: datetime | None = None) -> None:
        """Hold it against an operation to be applied under its id; a HOLD's end is told apart.

        Raises:
            OperationReused: naming what differs.
        """
        any_amount = asked.kind in WITHOUT_AMOUNT
        pairs = {
            "walletId": (self.wallet_id, asked.wallet_id),
            "kind": (self.kind, asked.kind),
            "amount": (self.amount, self.amount if any_amount else asked.amount),
            "currency": (self.currency, asked.currency),
            "subjectId": (self.subject_id, asked.subject_id),
            "refersTo": (self.refers_to, asked.refers_to),
            "releasesRest": (self.releases_rest, asked.releases_rest),
            "expiresAt": (expires_at, asked.expires_at),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.OperationReused(self.operation_id, differs)
