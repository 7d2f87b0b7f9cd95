"""payment_svc as its operators call it, through the use cases of their service."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from payment_svc.domain.actor import Actor
from payment_svc.domain.resolution import Resolution
from payment_svc.operations.wiring import Operations
from payment_svc.ports import SagaView
from payment_svc.use_cases.resolve_saga import Said, resolve_saga
from payment_svc.use_cases.retry_saga import retry_saga

EXPIRES_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retry:
    """Which saga is to go on, as it was seen."""

    saga_id: str
    epoch: int


class Office:
    """What operators may call."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def retry_saga(self, asked: tuple[Retry, Actor], _: Any) -> SagaView:
        """Let a saga go on."""
        retry, actor = asked
        view, _plan = await retry_saga(
            retry.saga_id,
            retry.epoch,
            "The cause is gone.",
            store=self._operations.store,
            actor=actor,
            policy=self._operations.policy,
            now=self._operations.clock(),
        )
        self._operations.woken()
        return view

    async def resolve_saga(self, asked: tuple[Said, Actor], _: Any) -> Resolution:
        """Propose what became of a step."""
        said, actor = asked
        return await resolve_saga(
            said,
            store=self._operations.resolutions,
            actor=actor,
            certified_only=self._operations.certified_only,
            resolution_id=self._operations.new_id("res"),
            now=self._operations.clock(),
            expires_after=self._operations.expires_after,
        )

    async def approve_resolution(self, asked: tuple[str, Actor], _: Any) -> Resolution:
        """Approve, and apply."""
        resolution_id, actor = asked
        return await self._operations.approve(resolution_id, "I have seen it too.", actor)
