"""Measures what is asked of PSPs about disputes, and tells a person what needs one."""

from collections.abc import Awaitable

from psp_gateway.calls import measured
from psp_gateway.dispute_ports import AnswerDisputes, Heard, ReadDisputes
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.dispute import Dispute
from psp_gateway.domain.dispute_answer import Evidence


class MeasuredReads:
    """`dispute_ports.ReadDisputes` of a PSP, measured."""

    def __init__(self, psp: str, inner: ReadDisputes) -> None:
        self._psp = psp
        self._inner = inner

    async def read_dispute(self, reference: str) -> Heard:
        """See `dispute_ports.ReadDisputes.read_dispute`."""
        call = self._inner.read_dispute(reference)
        return await _measured(self._psp, "read_dispute", reference, call)


class MeasuredAnswers:
    """`dispute_ports.AnswerDisputes` of a PSP, measured; a submission with all its requests."""

    def __init__(self, psp: str, inner: AnswerDisputes) -> None:
        self._psp = psp
        self._inner = inner

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """See `dispute_ports.AnswerDisputes.refusal`."""
        return self._inner.refusal(dispute, evidence)

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """See `dispute_ports.AnswerDisputes.submit_evidence`."""
        call = self._inner.submit_evidence(dispute, evidence, key=key, is_again=is_again)
        return await _measured(self._psp, "submit_evidence", dispute.psp_reference, call)

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """See `dispute_ports.AnswerDisputes.accept_dispute`."""
        call = self._inner.accept_dispute(dispute, key=key)
        return await _measured(self._psp, "accept_dispute", dispute.psp_reference, call)


def _needs_a_person(verdict: Verdict) -> bool:
    return verdict.trace.startswith(("401", "403"))


async def _measured(psp: str, operation: str, reference: str, call: Awaitable[Heard]) -> Heard:
    return await measured(psp, operation, call, _needs_a_person, reference=reference)
