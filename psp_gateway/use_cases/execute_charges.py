"""ExecuteCharges: read each command, route it, store it, take it further."""

from datetime import datetime

from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Kind
from psp_gateway.domain.endings import give_up
from psp_gateway.domain.errors import AttemptReused, NoRoute, Refusal, inexpressible
from psp_gateway.domain.routing import Route
from psp_gateway.ports import Exchange
from psp_gateway.use_cases.route_charge import ChargeCommand, Router, bare, parse_amount
from psp_gateway.use_cases.take_further import Means, Paying, first_stage, take_further


def begin_charge(command: ChargeCommand, router: Router, now: datetime) -> tuple[Attempt, Paying]:
    """Route a charge and make its attempt, not stored yet, and what it takes to make it.

    When all who could take it are in trouble, the first of them has it: the attempt is stored, so
    that it is not lost, and waits.

    Raises:
        Refusal: it cannot be taken up.
    """
    route = router.route(command)
    if not route.psps:
        raise _nobody(command, route)
    psp = route.psps[0]
    attempt = Attempt(
        attempt_id=command.attempt_id,
        kind=Kind.AUTHORIZATION if command.is_held else Kind.CHARGE,
        payment_id=command.payment_id,
        client_id=command.client_id,
        psp=psp,
        amount=parse_amount(command.amount, command.currency),
        stage=first_stage(router.providers[psp], is_hosted=command.page is not None),
        page_expires_at=command.page.expires_at if command.page else None,
        method=command.method,
        fingerprint=command.fingerprint,
        created_at=now,
        updated_at=now,
    )
    paying = Paying(
        Secret(bare(command.token.reveal())), route.psps, command.page, command.is_last_try
    )
    return attempt, paying


async def execute_charge(means: Means, asked: Attempt, paying: Paying) -> Attempt | Refusal:
    """Charge once: store, then call; or answer, look up or try again what is stored.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    taken_up = await means.store.take_up_charge(asked)
    differs = taken_up.attempt.differs_from(asked)
    if differs:
        return AttemptReused(asked.attempt_id, differs)
    attempt = await take_further(means, taken_up, paying)
    # What was put off has not been tried: it is no last try either.
    is_last = paying.is_last_try and not attempt.is_put_off
    return await _given_up(means, attempt) if is_last else attempt


async def _given_up(means: Means, attempt: Attempt) -> Attempt:
    """End what came to nothing, before its caller takes that for a no: a call for it that is still
    on its way must not begin it again.
    """
    ended = give_up(attempt, means.clock())
    if ended is None:
        return attempt
    return (await means.store.save(ended, Exchange("GIVE_UP", "", ""))).attempt


def _nobody(command: ChargeCommand, route: Route) -> Refusal:
    """Say why nobody takes a charge; the amount is at fault when it alone is."""
    if route.hindered and all(each.of_amount for each in route.hindered.values()):
        psp = next(iter(route.hindered))
        return inexpressible(psp, parse_amount(command.amount, command.currency))
    return NoRoute(command.currency, route.rule, route.reasons)
