"""What an operator did: kept for ever, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from payment_svc.domain.actor import Actor


class OperatorActionKind(StrEnum):
    """What was done."""

    RETRY = "RETRY"
    PROPOSE = "PROPOSE"
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    APPLY = "APPLY"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """Who did what to which saga, when and why; `before` and `after` tell what it changed."""

    at: datetime
    actor: Actor
    kind: OperatorActionKind
    payment_id: str
    saga_id: str
    reason: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    resolution_id: str | None = None
