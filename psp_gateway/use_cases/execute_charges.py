"""ExecuteCharges: read each command, route it, store it, take it further."""

from dataclasses import dataclass
from datetime import datetime

from chassis import money
from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Kind, Stage
from psp_gateway.domain.errors import AttemptReused, InvalidAmount, NoRoute, Refusal
from psp_gateway.ports import Provider
from psp_gateway.use_cases.take_further import Means, take_further


@dataclass(frozen=True, slots=True)
class ChargeCommand:
    """A charge that a caller asks for."""

    attempt_id: str
    payment_id: str
    client_id: str
    amount: str
    currency: str
    fingerprint: str  # keyed hash of the token
    is_held: bool = False  # held, to be captured later


def read_amount(provider: Provider, amount: str, currency: str) -> Money:
    """Read an amount that the PSP can express.

    Raises:
        InvalidAmount: no decimal above zero, or none of the PSP's units.
        NoRoute: the PSP does not take the currency.
    """
    try:
        read = Money.parse(amount, currency)
    except money.InvalidAmount as error:
        raise InvalidAmount(str(error)) from error
    except money.UnknownCurrency as error:
        raise NoRoute(currency) from error
    if not provider.takes(currency):
        raise NoRoute(currency)
    if not provider.can_express(read):
        raise InvalidAmount(f"{provider.capabilities.psp} cannot express {read} {currency}")
    return read


def begin_charge(command: ChargeCommand, provider: Provider, now: datetime) -> Attempt:
    """Route a charge and make its attempt, not stored yet.

    Raises:
        Refusal: it cannot be taken up.
    """
    return Attempt(
        attempt_id=command.attempt_id,
        kind=Kind.AUTHORIZATION if command.is_held else Kind.CHARGE,
        payment_id=command.payment_id,
        client_id=command.client_id,
        psp=provider.capabilities.psp,
        amount=read_amount(provider, command.amount, command.currency),
        stage=Stage.CREATE,
        fingerprint=command.fingerprint,
        created_at=now,
        updated_at=now,
    )


async def execute_charge(means: Means, asked: Attempt, token: str) -> Attempt | Refusal:
    """Charge once: store, then call; or answer, look up or try again what is stored.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    taken_up = await means.store.take_up_charge(asked)
    differs = taken_up.attempt.differs_from(asked)
    if differs:
        return AttemptReused(asked.attempt_id, differs)
    return await take_further(means, taken_up, token)
