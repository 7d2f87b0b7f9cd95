"""What paying through a bank needs from outside: a book of orders and of the files they are in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from psp_gateway.providers.bank.provider import PaymentFile
from psp_gateway.providers.bank.transfers import CreditTransfer


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that orders are put into.

    Attributes:
        message_id: unique for ever at the bank.
        left_out: attempts whose orders are not in it, and wait for another.
    """

    message_id: str
    file: PaymentFile = field(repr=False)
    left_out: frozenset[str] = frozenset()


class OrderBook(Protocol):
    """Keeps orders and files. Each call is durable when it answers, and safe to repeat.

    The creditor of an order is kept until the order is in a file, and a file until it is handed
    over; then they are wiped.
    """

    async def order(self, transfer: CreditTransfer, now: datetime) -> None:
        """Store an order unless its attempt has one."""
        ...

    async def is_ordered(self, attempt_id: str) -> bool:
        """Whether an attempt has an order."""
        ...

    async def collect(
        self, draft: Callable[[Sequence[CreditTransfer]], Draft | None], limit: int, now: datetime
    ) -> int:
        """Put what is in no file yet into one, each order once; tell how many orders. Where there
        is no draft nothing is stored.
        """
        ...

    async def hand_over(self, put: Callable[[str, bytes], None], copy: str, now: datetime) -> str:
        """Give the oldest file that was not handed over to `put`, and store that it was, as this
        copy; answer its message id, empty when there is none. `put` may be called again with the
        same, and what it wrote counts for nothing unless it is the copy that was stored.
        """
        ...

    async def handed_over(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """Tell of those that were handed over as which copy."""
        ...

    async def ordered_as(self, end_to_end_ids: Sequence[str]) -> Sequence[CreditTransfer]:
        """Find orders by what statements call them, without their creditors."""
        ...
