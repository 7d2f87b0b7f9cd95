"""`paymesh demo`: one pay-in through the REST edge, followed to the balanced books."""

import asyncio
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from devstack.invariants import check
from devstack.rest import RestClient, specification_request
from devstack.show import show_books, show_json, show_story, show_verdicts, wide_console
from devstack.state import reachable_folder
from devstack.trail import Operator, Trail

_SETTLE_TIMEOUT_S = 60.0


class DemoFailed(click.ClickException):
    """The demonstration did not end as it should."""


@click.command()
def demo() -> None:
    """Start a fresh stack, make one pay-in, show its trail to the balanced books, stop."""
    from devstack.stack import running_stack

    console = wide_console()
    with (
        reachable_folder("paymesh-demo-") as folder,
        running_stack(folder, ports="auto", risk="spec") as stack,
    ):
        asyncio.run(pay_and_show(console, stack))
    console.print("\n[green]Done.[/] The stack is stopped; nothing is left running.")


async def pay_and_show(console: Console, stack: Mapping[str, Any]) -> None:
    """Make the specification's payment on a running stack and show all that came of it.

    Raises:
        DemoFailed: the payment did not complete, or an invariant does not hold.
    """
    request = specification_request()
    url, key = stack["edge"]["url"], stack["client"]["api_key"]
    async with RestClient(url, key) as rest, Operator(stack) as operator:
        name = "seller:demo:seller_456:USD"
        before = {name: await operator.wallet(name)}
        show_json(console, f"POST {url}/v1/payments", request)
        created = await rest.create(request, key="unique-order-id-12345")
        show_json(console, f"{created.status}", created.body)
        if created.status != 200:
            raise DemoFailed("the edge refused the payment")
        payment = await rest.until_final(created.body["payment_id"])
        show_json(console, f"GET {url}/v1/payments/{payment['payment_id']}", payment)
        trail = await settled_trail(operator, payment["payment_id"])
        replay = await rest.create(request, key="unique-order-id-12345")
    console.print()
    show_story(console, trail.story)
    show_books(console, trail, before)
    verdicts = check(trail)
    show_verdicts(console, verdicts)
    same = replay.body == created.body and replay.headers.get("idempotent-replayed") == "true"
    console.print(
        f"\nThe same POST again: {'the same answer, nothing charged' if same else replay}"
    )
    failed = [verdict.name for verdict in verdicts if not verdict.holds]
    if payment["status"] != "COMPLETED" or failed or not same:
        raise DemoFailed(f"status {payment['status']}, broken: {failed}, replay same: {same}")


async def settled_trail(operator: Operator, payment_id: str) -> Trail:
    """Gather the trail once every saga of the payment is done, or waits for its day.

    Raises:
        DemoFailed: a saga is not done in time.
    """
    deadline = asyncio.get_running_loop().time() + _SETTLE_TIMEOUT_S
    while True:
        story = await operator.story(payment_id)
        if all(saga["queue"] == "DONE" or saga["reason"] == "NOT_DUE" for saga in story["sagas"]):
            return await operator.trail(payment_id, story)
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"sagas are not done: {story['sagas']}")
        await asyncio.sleep(0.05)
