"""RejectResolution: a person says no to a proposal, or takes his own back."""

from datetime import datetime

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionNotFound
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.domain.resolution import Resolution
from payment_svc.operations.ports import ResolutionStore
from payment_svc.use_cases.resolve_saga import trail_of


async def reject_resolution(
    resolution_id: str, reason: str, *, store: ResolutionStore, actor: Actor, now: datetime
) -> Resolution:
    """Reject a proposal; the saga stays where it is.

    Raises:
        ResolutionNotFound: no such resolution.
        ResolutionNotOpen: it was decided otherwise, or has expired.
    """

    def decide(before: Resolution) -> tuple[Resolution, OperatorAction | None]:
        after = before.reject(actor, now, reason)
        if after is before:
            return before, None
        return after, trail_of(after, OperatorActionKind.REJECT, actor, reason, now)

    rejected = await store.decide(resolution_id, decide)
    if rejected is None:
        raise ResolutionNotFound(resolution_id)
    return rejected
