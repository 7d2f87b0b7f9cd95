"""What following and answering disputes needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.dispute import Dispute, Standing, Status
from psp_gateway.domain.dispute_answer import DisputeRequest, Evidence
from psp_gateway.domain.psp_event import PspEvent

Heard = Standing | Absent | Verdict


class ReadDisputes(Protocol):
    """A PSP that can be asked how a dispute stands; its word counts, whatever it told before."""

    async def read_dispute(self, reference: str) -> Heard:
        """Read a dispute; a Verdict when the PSP did not tell."""
        ...


class TellDisputes(Protocol):
    """A PSP that cannot be asked and is taken at its word, in whatever order the words come."""

    def told(self, event: PspEvent, dispute: Dispute | None) -> Standing | str | None:
        """Sum up what all words of a dispute come to, this one among them; None when it says
        nothing, a sentence for a person when it cannot be believed.

        The same words come to the same in any order, however often each was said.
        """
        ...

    def answered(self, dispute: Dispute, code: str) -> Standing:
        """Sum up with a request of ours, SUBMIT or ACCEPT, that the PSP has taken."""
        ...


class AnswerDisputes(Protocol):
    """A PSP that takes answers to disputes. A Standing or a success: it has taken it."""

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """Name the field that the PSP is known not to take, and why; None when it takes all."""
        ...

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """Hand evidence in; the keys of all its requests are made of `key`. `is_again`: it may have
        been handed in before, under the same key.
        """
        ...

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """Give the dispute up."""
        ...


class DisputeBook(Protocol):
    """Keeps disputes. Each call is durable when it answers, and safe to repeat."""

    async def of_reference(self, psp: str, reference: str) -> Dispute | None:
        """Find by the PSP's id, with its history."""
        ...

    async def find(self, dispute_id: str) -> Dispute | None:
        """Find by our id, with its history."""
        ...

    async def page(
        self, *, psp: str, status: Status | None, payment_id: str, before: str, limit: int
    ) -> Sequence[Dispute]:
        """List disputes whose ids are below `before`, the newest first, without histories; empty
        filters take all.
        """
        ...

    async def save(self, dispute: Dispute) -> bool:
        """Store a dispute and what its history has more; False, and nothing is stored, when
        another has written it since it was read.
        """
        ...

    async def take_up(self, asked: DisputeRequest) -> DisputeRequest:
        """Store a request unless its id is there; answer the one that is.

        Raises:
            DisputeRequestReused: it is another.
            DisputeBusy: another's end is not known, and it is younger than a day.
        """
        ...

    async def request(self, request_id: str) -> DisputeRequest | None:
        """Find a request."""
        ...

    async def decide(self, request: DisputeRequest) -> DisputeRequest:
        """Store what came of a request, unless that is known; answer it as it then stands."""
        ...
