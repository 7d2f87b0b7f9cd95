"""The guard of what is held: its captures never sum above it, and one word lets go of the rest."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from chassis.money import Money, total
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import (
    AlreadyCaptured,
    AlreadyVoided,
    CapturedOnce,
    CaptureUndecided,
    ChargeNotFound,
    ExceedsAuthorization,
    Refusal,
    inexpressible,
)


class Holds:
    """Decides captures and voids against authorizations that are locked, in the order asked.

    Another attempt counts unless it has definitely failed: one whose outcome is not known may have
    happened. A final capture and a void let go of the rest, so they wait until it is known what the
    captures before them took, and nothing follows them.

    Args:
        holds: the locked rows that the captures and voids name.
        about: all stored captures and voids of those authorizations.
        known: stored attempts with the ids that are asked.
        expresses: whether a PSP can express an amount.
        takes_parts: whether a PSP captures what it holds several times.
    """

    def __init__(
        self,
        holds: Iterable[Attempt],
        about: Iterable[Attempt],
        known: Iterable[Attempt],
        expresses: Callable[[str, Money], bool],
        takes_parts: Callable[[str], bool],
    ) -> None:
        self._holds = {hold.attempt_id: hold for hold in holds}
        self._counted: dict[str, list[Attempt]] = {}
        self._known = {attempt.attempt_id: attempt for attempt in known}
        self._expresses = expresses
        self._takes_parts = takes_parts
        self.new: list[Attempt] = []
        for word in about:
            if word.outcome is not Outcome.DECLINED:
                self._counted.setdefault(word.charge_attempt_id, []).append(word)

    def take_up(self, asked: Attempt) -> tuple[Attempt, bool] | Refusal:
        """Answer the attempt and whether it is new, or why not."""
        if asked.attempt_id in self._known:
            return self._known[asked.attempt_id], False
        hold = self._holds.get(asked.charge_attempt_id)
        if hold is None or not _is_held(hold, asked):
            return ChargeNotFound(asked.charge_attempt_id)
        words = self._counted.setdefault(hold.attempt_id, [])
        captured = total((word.amount for word in words), hold.amount.currency)
        refusal = self._refuse(hold, asked, words, captured)
        if refusal is not None:
            return refusal
        taken_up = replace(
            asked,
            payment_id=hold.payment_id,
            client_id=hold.client_id,
            psp=hold.psp,
            charge_reference=hold.psp_reference,
            captured_before=captured.amount,
        )
        words.append(taken_up)
        self._known[taken_up.attempt_id] = taken_up
        self.new.append(taken_up)
        return taken_up, True

    def _refuse(
        self, hold: Attempt, asked: Attempt, words: Sequence[Attempt], captured: Money
    ) -> Refusal | None:
        ended = next((word for word in words if word.is_final), None)
        if ended is not None:
            already = AlreadyCaptured if ended.kind is Kind.CAPTURE else AlreadyVoided
            return already(ended.attempt_id)
        if not asked.is_final and not self._takes_parts(hold.psp):
            return CapturedOnce(hold.psp)
        undecided = next((word for word in words if word.outcome is not Outcome.SUCCEEDED), None)
        if undecided is not None and asked.is_final:
            return CaptureUndecided(undecided.attempt_id)
        left = hold.amount - captured
        asks = asked.amount.amount
        if asks > left.amount or (asked.kind is Kind.VOID and asks != left.amount):
            return ExceedsAuthorization(left)
        if not self._expresses(hold.psp, asked.amount):
            return inexpressible(hold.psp, asked.amount)
        return None


def _is_held(hold: Attempt, asked: Attempt) -> bool:
    is_held = hold.kind is Kind.AUTHORIZATION and hold.outcome is Outcome.SUCCEEDED
    return is_held and hold.amount.currency == asked.amount.currency
