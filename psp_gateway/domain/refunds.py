"""The guard of refunds: those of one charge never sum above it."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from chassis.money import Money, total
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import ChargeNotFound, RefundExceedsCharge, Refusal, inexpressible


class Refunds:
    """Decides refunds against charges that are locked, in the order asked.

    A refund counts unless it has definitely failed: one whose outcome is not known may be given.

    Args:
        charges: the locked rows that the refunds name.
        refunds: all stored refunds of those charges.
        known: stored attempts with the ids that are asked.
        expresses: whether a PSP can express an amount.
    """

    def __init__(
        self,
        charges: Iterable[Attempt],
        refunds: Iterable[Attempt],
        known: Iterable[Attempt],
        expresses: Callable[[str, Money], bool],
    ) -> None:
        self._charges = {charge.attempt_id: charge for charge in charges}
        self._given: dict[str, list[Money]] = {}
        self._known = {attempt.attempt_id: attempt for attempt in known}
        self._expresses = expresses
        self.new: list[Attempt] = []
        for refund in refunds:
            if refund.outcome is not Outcome.DECLINED:
                self._given.setdefault(refund.charge_attempt_id, []).append(refund.amount)

    def take_up(self, asked: Attempt) -> tuple[Attempt, bool] | Refusal:
        """Answer the attempt and whether it is new, or why not."""
        if asked.attempt_id in self._known:
            return self._known[asked.attempt_id], False
        charge = self._charges.get(asked.charge_attempt_id)
        if charge is None or not _can_be_refunded(charge, asked):
            return ChargeNotFound(asked.charge_attempt_id)
        if not self._expresses(charge.psp, asked.amount):
            return inexpressible(charge.psp, asked.amount)
        given = self._given.setdefault(charge.attempt_id, [])
        refunded = total(given, charge.amount.currency)
        # Bare numbers: what is asked for too much may pass the bounds of money.
        if refunded.amount + asked.amount.amount > charge.amount.amount:
            return RefundExceedsCharge(charged=charge.amount, refunded=refunded)
        refund = _of(charge, asked)
        given.append(refund.amount)
        self._known[refund.attempt_id] = refund
        self.new.append(refund)
        return refund, True


def _can_be_refunded(charge: Attempt, asked: Attempt) -> bool:
    is_taken = charge.kind in (Kind.CHARGE, Kind.CAPTURE) and charge.outcome is Outcome.SUCCEEDED
    return is_taken and charge.amount.currency == asked.amount.currency


def _of(charge: Attempt, asked: Attempt) -> Attempt:
    return replace(
        asked,
        payment_id=charge.payment_id,
        client_id=charge.client_id,
        psp=charge.psp,
        charge_reference=charge.psp_reference,
    )
