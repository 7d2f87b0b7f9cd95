"""Holds: money of a wallet set aside, until each cent of it is captured or let go, once."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from chassis.money import Money
from wallet_svc.domain import errors


class HoldStatus(StrEnum):
    """How far a hold is: open, or how it ended."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside by the HOLD operation of the same id; `amount` = open + captured + released.

    CAPTURED when a capture took what was open, or let the rest go. It ends no later than
    `expires_at`: from then on nothing is captured, and the rest is let go; None for no end.
    """

    hold_id: str
    wallet_id: str
    subject_id: str
    currency: str
    amount: Decimal
    open: Decimal
    captured: Decimal
    released: Decimal
    status: HoldStatus
    expires_at: datetime | None
    created_at: datetime

    def require_open(self) -> None:
        """Make sure that something of it is still set aside.

        Raises:
            HoldResolved: it has ended.
        """
        if self.status is not HoldStatus.OPEN:
            raise errors.HoldResolved(self.hold_id, self.status)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it had its time."""
        return self.expires_at is not None and self.expires_at <= now

    def capture(self, amount: Decimal, now: datetime, *, releases_rest: bool) -> "Hold":
        """Make the hold after a capture.

        Raises:
            HoldResolved: it has ended.
            HoldExpired: it had its time.
            HoldExceeded: more would be captured than is open.
        """
        self.require_open()
        if self.is_due(now):
            raise errors.HoldExpired(self.hold_id, self.expires_at)
        if amount > self.open:
            raise errors.HoldExceeded(self.hold_id, Money.of_stored(self.open, self.currency))
        rest = self.open - amount
        ends = releases_rest or not rest
        return replace(
            self,
            open=rest * 0 if ends else rest,
            captured=self.captured + amount,
            released=self.released + rest if ends else self.released,
            status=HoldStatus.CAPTURED if ends else HoldStatus.OPEN,
        )

    def let_go(self, status: HoldStatus) -> "Hold":
        """Make the hold after the rest of it was let go: RELEASED or EXPIRED.

        Raises:
            HoldResolved: it has ended.
        """
        self.require_open()
        return replace(self, open=self.open * 0, released=self.released + self.open, status=status)
