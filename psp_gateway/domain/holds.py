"""The guard of what is held: it is captured, at most once, or let go."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import (
    AlreadyCaptured,
    AlreadyVoided,
    ChargeNotFound,
    ExceedsAuthorization,
    Refusal,
    inexpressible,
)


class Holds:
    """Decides captures and voids against authorizations that are locked, in the order asked.

    Another attempt counts unless it has definitely failed: one whose outcome is not known may have
    happened.

    Args:
        holds: the locked rows that the captures and voids name.
        about: all stored captures and voids of those authorizations.
        known: stored attempts with the ids that are asked.
        expresses: whether a PSP can express an amount.
    """

    def __init__(
        self,
        holds: Iterable[Attempt],
        about: Iterable[Attempt],
        known: Iterable[Attempt],
        expresses: Callable[[str, Money], bool],
    ) -> None:
        self._holds = {hold.attempt_id: hold for hold in holds}
        self._ended = {a.charge_attempt_id: a for a in about if a.outcome is not Outcome.DECLINED}
        self._known = {attempt.attempt_id: attempt for attempt in known}
        self._expresses = expresses
        self.new: list[Attempt] = []

    def take_up(self, asked: Attempt) -> tuple[Attempt, bool] | Refusal:
        """Answer the attempt and whether it is new, or why not."""
        if asked.attempt_id in self._known:
            return self._known[asked.attempt_id], False
        hold = self._holds.get(asked.charge_attempt_id)
        if hold is None or not _is_held(hold, asked):
            return ChargeNotFound(asked.charge_attempt_id)
        refusal = self._refuse(hold, asked)
        if refusal is not None:
            return refusal
        ending = replace(
            asked,
            payment_id=hold.payment_id,
            client_id=hold.client_id,
            psp=hold.psp,
            charge_reference=hold.psp_reference,
        )
        self._ended[hold.attempt_id] = self._known[ending.attempt_id] = ending
        self.new.append(ending)
        return ending, True

    def _refuse(self, hold: Attempt, asked: Attempt) -> Refusal | None:
        ended = self._ended.get(hold.attempt_id)
        if ended is not None:
            already = AlreadyCaptured if ended.kind is Kind.CAPTURE else AlreadyVoided
            return already(ended.attempt_id)
        asks, holds = asked.amount.amount, hold.amount.amount
        if asks > holds or (asked.kind is Kind.VOID and asks != holds):
            return ExceedsAuthorization(hold.amount)
        if not self._expresses(hold.psp, asked.amount):
            return inexpressible(hold.psp, asked.amount)
        return None


def _is_held(hold: Attempt, asked: Attempt) -> bool:
    is_held = hold.kind is Kind.AUTHORIZATION and hold.outcome is Outcome.SUCCEEDED
    return is_held and hold.amount.currency == asked.amount.currency
