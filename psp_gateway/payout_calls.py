"""Measures what is asked of PSPs about payouts, and tells a person what needs one."""

from collections.abc import Awaitable

from chassis.money import Money
from psp_gateway.calls import measured
from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.payout import Destination, Payout
from psp_gateway.payout_ports import PayOut, Terms


class MeasuredPayouts:
    """`payout_ports.PayOut` of a PSP, measured."""

    def __init__(self, psp: str, inner: PayOut) -> None:
        self._psp = psp
        self._inner = inner

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut.terms`."""
        return self._inner.terms

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut.refusal`."""
        return self._inner.refusal(amount, destination)

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut.send_payout`."""
        call = self._inner.send_payout(payout, destination, key=key)
        return await self._measured("payout", payout, call)

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut.find_payout`."""
        return await self._measured("find_payout", payout, self._inner.find_payout(payout))

    async def _measured(self, operation: str, payout: Payout, call: Awaitable[Answer]) -> Answer:
        return await measured(
            self._psp,
            operation,
            call,
            _is_refused,
            attempt_id=payout.attempt_id,
            payout_id=payout.payout_id,
        )


def _is_refused(verdict: Verdict) -> bool:
    """Whether the PSP refuses our credentials, or lets them pay nothing out."""
    return verdict.trace.startswith(("401", "403"))
