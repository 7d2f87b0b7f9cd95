"""ExecuteRefunds: read each command, hold it against its charge, store it, take it further."""

from dataclasses import dataclass
from datetime import datetime

from psp_gateway.domain.attempt import Attempt, Kind, Stage
from psp_gateway.domain.errors import AttemptReused, Refusal
from psp_gateway.use_cases.route_charge import parse_amount
from psp_gateway.use_cases.take_further import Means, take_further


@dataclass(frozen=True, slots=True)
class RefundCommand:
    """A refund that a caller asks for."""

    attempt_id: str
    charge_attempt_id: str
    amount: str
    currency: str


def begin_refund(command: RefundCommand, now: datetime) -> Attempt:
    """Make a refund's attempt, not stored yet; the store fills in what its charge knows.

    Raises:
        Refusal: it cannot be taken up.
    """
    return Attempt(
        attempt_id=command.attempt_id,
        kind=Kind.REFUND,
        payment_id="",
        client_id="",
        psp="",
        amount=parse_amount(command.amount, command.currency),
        stage=Stage.REFUND,
        charge_attempt_id=command.charge_attempt_id,
        created_at=now,
        updated_at=now,
    )


async def execute_refund(means: Means, asked: Attempt) -> Attempt | Refusal:
    """Refund once: store, then call; or answer, look up or try again what is stored.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    taken_up = await means.store.take_up_refund(asked)
    if isinstance(taken_up, Refusal):
        return taken_up
    differs = taken_up.attempt.differs_from(asked)
    if differs:
        return AttemptReused(asked.attempt_id, differs)
    return await take_further(means, taken_up)
