"""Measures what is asked of PSPs about payouts, and tells a person what needs one."""

import time
from collections.abc import Awaitable

from chassis.money import Money
from chassis.telemetry import logger
from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.payout import Destination, Payout
from psp_gateway.metrics import PSP_CALL_SECONDS
from psp_gateway.payout_ports import PayOut, Terms

_TROUBLE = (Outcome.UNKNOWN, Outcome.TRANSIENT)


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
        started = time.perf_counter()
        answer = await call
        outcome = answer.outcome.value if isinstance(answer, Verdict) else "ABSENT"
        elapsed = time.perf_counter() - started
        PSP_CALL_SECONDS.labels(self._psp, operation, outcome).observe(elapsed)
        if isinstance(answer, Verdict):
            _tell(self._psp, operation, payout, answer)
        return answer


def _tell(psp: str, operation: str, payout: Payout, verdict: Verdict) -> None:
    needs_a_person = verdict.is_alarm or verdict.trace.startswith(("401", "403"))
    if not needs_a_person and verdict.outcome not in _TROUBLE:
        return
    tell = logger().error if needs_a_person else logger().warning
    tell(
        "psp_trouble",
        psp=psp,
        operation=operation,
        attempt_id=payout.attempt_id,
        payout_id=payout.payout_id,
        outcome=verdict.outcome.value,
        delivery=verdict.delivery.value,
        reason=verdict.reason,
        code=verdict.psp_code,
        status=verdict.trace,
    )
