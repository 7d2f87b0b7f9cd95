"""`paymesh pay` and `paymesh explain`: make a payment on the running stack, and tell a payment's
story.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from devstack.options import JSON, STATE
from devstack.state import StackError, State

if TYPE_CHECKING:  # what is heavy is imported when asked for
    from devstack.invariants import Verdict
    from devstack.trail import Operator

_PAYMENT_ID = re.compile("pay_[0-9a-z]{1,60}", re.ASCII)


@click.command()
@click.option("--amount", default="99.99", show_default=True, help="A decimal string.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217.")
@click.option("--seller", default="seller_456", show_default=True, help="Who gets the money.")
@click.option("--token", default="psp_card_token_xyz", show_default=True, help="The card's token.")
@click.option("--key", help="The Idempotency-Key; a new one when absent.")
@JSON
@STATE
def pay(
    amount: str,
    currency: str,
    seller: str,
    token: str,
    key: str | None,
    as_json: bool,  # noqa: FBT001
    folder: Path,
) -> None:
    """Make one payment through the edge and wait until it is final. Exits 1 unless COMPLETED."""
    from devstack.rest import RestClient, specification_request

    stack = State(folder).running()
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = token
    order = request["payment_orders"][0]
    order |= {"amount": amount, "currency": currency, "seller_account": seller}

    async def run() -> Mapping[str, Any]:
        async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
            created = await rest.create(request, key)
            if created.status != 200:
                raise StackError(f"{created.status}: {created.body.get('message')}")
            return await rest.until_final(created.body["payment_id"])

    payment = asyncio.run(run())
    failure = payment.get("failure", {}).get("reason", "")
    line = f"{payment['payment_id']} {payment['status']} {failure}".rstrip()
    click.echo(json.dumps(payment, indent=2) if as_json else line)
    if payment["status"] != "COMPLETED":
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("payment_id")
@click.option("--watch", is_flag=True, help="Go on until it is final.")
@JSON
@STATE
def explain(*, payment_id: str, watch: bool, as_json: bool, folder: Path) -> None:
    """Tell a payment's whole story: what happened, what it waits for, what one can do; and hold it
    against the invariants.
    """
    if not _PAYMENT_ID.fullmatch(payment_id):
        raise StackError(
            f"{payment_id!r} is no payment's id: that is pay_ and 1 to 60 digits and small letters"
        )
    import grpc

    from devstack.show import show_story, show_verdicts, wide_console
    from devstack.trail import Operator
    from devstack.watch import until_final

    stack = State(folder).running()
    console = wide_console()

    async def run() -> tuple[Mapping[str, Any], Sequence[Any], str]:
        async with Operator(stack) as operator:
            story: Mapping[str, Any] = await operator.story(payment_id)
            if watch:
                story = await until_final(console, operator, story)
            return story, *await _judge(operator, story)

    try:
        story, verdicts, unchecked = asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        raise StackError(str(error.details())) from error
    if as_json:
        judged = {"invariants": [asdict(v) for v in verdicts], "invariants_unchecked": unchecked}
        click.echo(json.dumps({**story, **judged}, indent=2, ensure_ascii=False))
        return
    show_story(console, story)
    show_verdicts(console, verdicts, unchecked)


async def _judge(operator: "Operator", story: Mapping[str, Any]) -> tuple[Sequence["Verdict"], str]:
    """Hold a payment against the invariants; or tell why that cannot be done."""
    import aiohttp
    import grpc

    from devstack.invariants import check

    if story["gaps"]:
        missing = ", ".join(gap["source"].lower() for gap in story["gaps"])
        return (), f"not checked, because these did not tell their part: {missing}"
    try:
        return check(await operator.trail(story["payment"]["payment_id"], story)), ""
    except grpc.aio.AioRpcError as error:
        return (), f"not checked: {error.details()}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return (), f"not checked, because the PSP's record cannot be read: {error}"
