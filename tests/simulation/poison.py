"""Poison: sagas of which a step always raises, or kills its worker, until somebody repairs it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from payment_svc.sagas.commands import (
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    SettleCredits,
)
from payment_svc.sagas.outcomes import Outcome
from tests.simulation.chance import Chance

_TAINTED = 0.04
_STEPS = (ExecuteCharge, CreditWallets, PostCapture, SettleCredits)
# Before or after what a step asks of the outside was done, or when its saga is taken up.
_PLACES = ("start", *(f"{kind.__name__} {when}" for kind in _STEPS for when in ("before", "after")))


class Poisonous(ValueError):
    """A bug that one payment alone brings to light."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where a payment's sagas fail, and how."""

    place: str
    kills: bool


class Poison:
    """Which payments are poison, and which were.

    Attributes:
        ever: ids of the payments that were poison at any time.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._flaws: dict[str, Flaw] = {}
        self.ever: set[str] = set()

    def taint(self, payment_id: str) -> None:
        """Perhaps make poison of a new payment."""
        if self._chance.happens(_TAINTED):
            place = self._chance.one_of(_PLACES)
            kills = place != "start" and self._chance.happens(0.4)
            self._flaws[payment_id] = Flaw(place, kills)
            self.ever.add(payment_id)

    def flaw(self, place: str, payment_id: str) -> Flaw | None:
        """Tell what is wrong with a payment at a place, and count that it was met."""
        flaw = self._flaws.get(payment_id)
        if flaw is None or flaw.place != place:
            return None
        self._chance.struck("poison_kills" if flaw.kills else "poison_raises")
        return flaw

    def meet(self, place: str, payment_id: str) -> None:
        """Pass a place at which a payment may be poison.

        Raises:
            Poisonous: it is.
        """
        if self.flaw(place, payment_id) is not None:
            raise Poisonous(payment_id)

    def repair(self, payment_id: str) -> None:
        """Bring the version out that can cope with a payment."""
        self._flaws.pop(payment_id, None)


class Poisoned:
    """`ports.Services` of a process that meets poison on its way.

    Args:
        kill: ends the process, and with it whoever called.
    """

    def __init__(self, inner: Any, poison: Poison, kill: Callable[[], None]) -> None:
        self._inner = inner
        self._poison = poison
        self._kill = kill

    async def perform(self, command: Command) -> Outcome:
        """See `ports.Services`."""
        await self._pass(command, "before")
        outcome: Outcome = await self._inner.perform(command)
        await self._pass(command, "after")
        return outcome

    async def _pass(self, command: Command, when: str) -> None:
        if not isinstance(command, _STEPS):
            return
        flaw = self._poison.flaw(f"{type(command).__name__} {when}", command.payment_id)
        if flaw is not None:
            if flaw.kills:
                self._kill()
                await asyncio.Event().wait()
            raise Poisonous(command.payment_id)
