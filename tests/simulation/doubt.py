"""Planted mistakes about what is not known: it is told as if it were."""

from dataclasses import replace
from itertools import count
from typing import Any

from payment_svc.sagas.commands import Command, ExecuteCharge
from payment_svc.sagas.outcomes import Outcome, Waiting
from tests.simulation.around import Around


class DoubtIsForgotten(Around):
    """A charge that is not known is called under way at each second look."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._looks = count()

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and forget."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(command, ExecuteCharge) and isinstance(outcome, Waiting) and outcome.unknown:
            return Waiting("PSP_PENDING") if next(self._looks) % 2 else outcome
        return outcome


class PendingIsTheirWord(Around):
    """What is only under way is taken for the PSP's word that it takes its time."""

    async def perform(self, command: Command) -> Outcome:
        """Have it done, and be patient."""
        outcome: Outcome = await self.inner.perform(command)
        if isinstance(outcome, Waiting) and outcome.unheard:
            return replace(outcome, unheard=False, after=None)
        return outcome
