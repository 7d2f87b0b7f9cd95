"""What paying out needs from outside: a book of payouts, and PSPs that pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from chassis.money import Money
from psp_gateway.domain.answer import Answer
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.payout import Destination, Payout
from psp_gateway.ports import Exchange


@dataclass(frozen=True, slots=True)
class PayoutTaken:
    """A stored payout; `is_new` when this very call stored it."""

    payout: Payout
    is_new: bool


@dataclass(frozen=True, slots=True)
class PayoutSaved:
    """A payout as it stands; not `is_held` when another has written it meanwhile, whose turn it
    then is.
    """

    payout: Payout
    is_held: bool


class PayoutBook(Protocol):
    """Keeps payouts. Each call is durable when it answers, and safe to repeat."""

    async def take_up(self, asked: Payout) -> PayoutTaken | Refusal:
        """Store a payout unless its id is there, or another attempt at it is not over."""
        ...

    async def save(self, payout: Payout, exchange: Exchange) -> PayoutSaved:
        """Store a payout that has moved on, and what moved it; answer it as it then stands.

        Only what `domain.payout.MOVES` allows is stored, PAID by whoever learns it and anything
        else only when `version` is the newest. The exchange is stored in any case.
        """
        ...

    async def of_payout(self, payout_id: str) -> Sequence[Payout]:
        """List the attempts of a payout, the oldest first."""
        ...

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Payout]:
        """Find payouts; those that are not there are left out."""
        ...

    async def of_reference(self, psp: str, reference: str) -> Sequence[Payout]:
        """Find payouts by the PSP's id, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How a PSP pays out.

    Attributes:
        key_retention: how long it keeps the key of a payout at least.
        can_find: whether it finds a payout by our own id. That it finds none proves nothing, and
            nothing but the same request under the same key follows from it.
    """

    key_retention: timedelta
    can_find: bool


class PayOut(Protocol):
    """A PSP that pays out; each call answers and never raises for what the PSP or the network does.

    Of a payout, SUCCEEDED says that the payee has it, PENDING that it is accepted and under way,
    and DECLINED, unless it is of the request alone, that the money did not leave or is back.
    """

    @property
    def terms(self) -> Terms:
        """How it pays out."""
        ...

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """Tell why it is known not to take a payout; None when it may."""
        ...

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """Order `payout.amount` to be paid to `destination`; never Created."""
        ...

    async def find_payout(self, payout: Payout) -> Answer:
        """Read what became of a payout: by `psp_reference`, or by our own id where that is not
        known and `Terms.can_find`; Absent when it is not there.
        """
        ...
