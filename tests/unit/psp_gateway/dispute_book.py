"""Disputes kept in memory, for tests of what follows and answers them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from psp_gateway.domain.dispute import Dispute, Status
from psp_gateway.domain.dispute_answer import DisputeRequest


@dataclass
class MemoryBook:
    """`dispute_ports.DisputeBook` without a database."""

    disputes: dict[str, Dispute] = field(default_factory=dict)
    requests: dict[str, DisputeRequest] = field(default_factory=dict)

    async def of_reference(self, psp: str, reference: str) -> Dispute | None:
        """Find by the PSP's id."""
        named = (psp, reference)
        found = (d for d in self.disputes.values() if (d.psp, d.psp_reference) == named)
        return next(found, None)

    async def find(self, dispute_id: str) -> Dispute | None:
        """Find by our id."""
        return self.disputes.get(dispute_id)

    async def page(
        self, *, psp: str, status: Status | None, payment_id: str, before: str, limit: int
    ) -> Sequence[Dispute]:
        """List all."""
        del psp, status, payment_id, before, limit
        return list(self.disputes.values())

    async def save(self, dispute: Dispute) -> bool:
        """Store when nobody else has."""
        known = await self.of_reference(dispute.psp, dispute.psp_reference)
        if (known.version if known else 0) != dispute.version:
            return False
        kept = replace(dispute, version=dispute.version + 1)
        self.disputes[dispute.dispute_id] = kept
        return True

    async def take_up(self, asked: DisputeRequest) -> DisputeRequest:
        """Store unless it is there."""
        return self.requests.setdefault(asked.request_id, asked)

    async def request(self, request_id: str) -> DisputeRequest | None:
        """Find a request."""
        return self.requests.get(request_id)

    async def decide(self, request: DisputeRequest) -> DisputeRequest:
        """Store what came of it."""
        self.requests[request.request_id] = request
        return request
