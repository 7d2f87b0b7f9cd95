"""What an audit of payments needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from payment_svc.domain.payment import Payment
from payment_svc.domain.soundness import Standing
from payment_svc.domain.testimony import Attempt


@dataclass(frozen=True, slots=True)
class Audited:
    """A payment with where its sagas stand, as of one moment."""

    payment: Payment
    sagas: tuple[Standing, ...]

    @property
    def payment_id(self) -> str:
        """Its id."""
        return self.payment.payment_id


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A payment that cannot be read from its row, and why; never what stands there."""

    payment_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of sagas begins: after this one, which came to rest then."""

    at: datetime
    saga_id: str


@dataclass(frozen=True, slots=True)
class Booked:
    """What is booked, debits less credits, by payment or by account.

    Attributes:
        archived_until: what was written before is archived, and left out; None: nothing is.
    """

    amounts: Mapping[str, Decimal]
    archived_until: datetime | None = None


class AuditStore(Protocol):
    """Reads payments for an audit."""

    async def page(
        self, created_from: datetime, created_to: datetime, after: str, limit: int
    ) -> Sequence[Audited | Unreadable]:
        """List payments made in a stretch of time by their ids, after an id."""
        ...

    async def rested(
        self, since: datetime, after: Place | None, limit: int
    ) -> Sequence[tuple[Place, str]]:
        """List sagas that came to rest since then, by when, and the payment of each."""
        ...

    async def read(self, payment_ids: Sequence[str]) -> Sequence[Audited | Unreadable]:
        """Read payments as they are now."""
        ...

    async def find(self, payment_ids: Sequence[str]) -> Sequence[Audited]:
        """Read payments as they are now; those that cannot be read are left out."""
        ...


class AuditWitnesses(Protocol):
    """The gateway and the ledger, asked of many payments at once.

    Raises:
        Unavailable: one did not answer; nothing is known then.
    """

    async def attempts(self, payment_ids: Sequence[str]) -> Mapping[str, Sequence[Attempt]]:
        """Ask psp_gateway what was tried at PSPs; payments without an attempt are left out."""
        ...

    async def booked(self, account_id: str, since: datetime) -> Booked:
        """Ask ledger_svc what was booked on an account since then, by payment."""
        ...

    async def booked_for(self, payment_id: str) -> Booked:
        """Ask ledger_svc what was ever booked for a payment, by account."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What the ledger found wrong with its entries, hashes and seals; `first` of it, in words."""

    offence_count: int
    first: tuple[str, ...] = ()


class LedgerBooks(Protocol):
    """The ledger, asked of its own books.

    Raises:
        Unavailable: it did not answer, or not to the end; nothing is known then.
    """

    async def differences(self) -> Mapping[str, Decimal]:
        """Sum debits less credits of all accounts, by currency: zero."""
        ...

    async def proof(self) -> Proof:
        """Prove what was booked since the last checkpoint."""
        ...
