"""The operators' parts put together, for `__main__`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.clock import Clock
from chassis.errors import PaymeshError
from chassis.faults import FaultPoints
from chassis.telemetry import logger
from payment_svc.domain.actor import Actor
from payment_svc.domain.payment import NewId
from payment_svc.domain.resolution import Resolution, ResolutionStatus
from payment_svc.operations.ports import Attempts, LateCharges, OperatorStore, ResolutionStore
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.use_cases.approve_resolution import (
    apply_resolution,
    approve_resolution,
    ask_gateway,
    is_given_back,
)

_PAGE = 20


@dataclass(frozen=True, slots=True)
class Operations:
    """What operators' work takes.

    Attributes:
        woken: called when sagas are due; it wakes the worker.
        expires_after: how long a proposal waits for its second person.
        certified_only: a resolution takes two persons whom certificates name, as in production.
    """

    store: OperatorStore
    resolutions: ResolutionStore
    attempts: Attempts
    late_charges: LateCharges
    clock: Clock
    new_id: NewId
    policy: RetryPolicy
    expires_after: timedelta
    certified_only: bool
    woken: Callable[[], None]
    faults: FaultPoints

    async def approve(self, resolution_id: str, reason: str, actor: Actor) -> Resolution:
        """Approve a resolution and apply it; tell how far it is, should psp_gateway not answer.

        Raises:
            UnverifiedOperator, ResolutionNotFound, SecondPersonNeeded, ResolutionNotOpen: see
                `approve_resolution`.
        """
        approved = await approve_resolution(
            resolution_id,
            reason,
            store=self.resolutions,
            actor=actor,
            certified_only=self.certified_only,
            now=self.clock(),
        )
        if approved.status is not ResolutionStatus.APPROVED:
            return approved
        await self.faults.reach("resolution.approved")
        try:
            return await self._apply(approved)
        except PaymeshError as trouble:
            self._tell_trouble(approved, trouble)
            return approved

    async def apply_approved(self) -> bool:
        """Go on with all that was approved and, by a crash or trouble, is not applied: those that
        cannot be applied yet keep nobody else from it.
        """
        found = await self.resolutions.approved(_PAGE)
        while found:
            await asyncio.gather(*map(self._try_to_apply, found))
            found = await self.resolutions.approved(_PAGE, found[-1])
        return False

    async def _try_to_apply(self, resolution: Resolution) -> None:
        try:
            await self._apply(resolution)
        except PaymeshError as trouble:
            self._tell_trouble(resolution, trouble)
        except Exception as error:  # noqa: BLE001 - one must not stop the others
            logger().error(
                "resolution_failed",
                resolution_id=resolution.resolution_id,
                error=type(error).__name__,
            )

    async def _apply(self, approved: Resolution) -> Resolution:
        word = await ask_gateway(approved, self.attempts)
        await self.faults.reach("resolution.told")
        if is_given_back(approved, word):
            # Before the resolution is over: should it end here, whoever applies it begins it.
            await self.late_charges.begin(approved.payment_id)
            await self.faults.reach("resolution.giving_back")
        applied = await apply_resolution(
            approved, word, store=self.resolutions, policy=self.policy, now=self.clock()
        )
        logger().info(
            "resolution_ended",
            resolution_id=applied.resolution_id,
            saga_id=applied.saga_id,
            payment_id=applied.payment_id,
            status=applied.status.value,
        )
        self.woken()
        return applied

    def _tell_trouble(self, resolution: Resolution, trouble: PaymeshError) -> None:
        logger().warning(
            "resolution_not_applied_yet",
            resolution_id=resolution.resolution_id,
            reason=trouble.reason,
        )
