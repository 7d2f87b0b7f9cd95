"""ExecuteCaptures and ExecuteVoids: read each command, hold it against its authorization, store it,
take it further.
"""

from dataclasses import dataclass
from datetime import datetime

from psp_gateway.domain.attempt import Attempt, Kind, Stage
from psp_gateway.domain.errors import AttemptReused, Refusal
from psp_gateway.use_cases.route_charge import parse_amount
from psp_gateway.use_cases.take_further import Means, take_further

_STAGES = {Kind.CAPTURE: Stage.CAPTURE, Kind.VOID: Stage.VOID}


@dataclass(frozen=True, slots=True)
class HoldCommand:
    """A capture or a void that a caller asks for, by its `kind`; a void is always final."""

    kind: Kind
    attempt_id: str
    charge_attempt_id: str
    amount: str
    currency: str
    is_final: bool = True


def begin_hold(command: HoldCommand, now: datetime) -> Attempt:
    """Make the attempt of a capture or void, not stored yet; the store fills in the rest.

    Raises:
        Refusal: it cannot be taken up.
    """
    return Attempt(
        attempt_id=command.attempt_id,
        kind=command.kind,
        payment_id="",
        client_id="",
        psp="",
        amount=parse_amount(command.amount, command.currency),
        stage=_STAGES[command.kind],
        charge_attempt_id=command.charge_attempt_id,
        is_final=command.is_final,
        created_at=now,
        updated_at=now,
    )


async def execute_hold(means: Means, asked: Attempt) -> Attempt | Refusal:
    """Capture or void once: store, then call; or answer, look up or try again what is stored.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    taken_up = await means.store.take_up_hold(asked)
    if isinstance(taken_up, Refusal):
        return taken_up
    differs = taken_up.attempt.differs_from(asked)
    if differs:
        return AttemptReused(asked.attempt_id, differs)
    return await take_further(means, taken_up)
