"""`paymesh pay` and `paymesh explain`: make a payment on the running stack, and show a payment's
trail.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from devstack.options import JSON, STATE
from devstack.state import StackError, State


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
@JSON
@STATE
def explain(payment_id: str, as_json: bool, folder: Path) -> None:  # noqa: FBT001
    """Show all that every service knows of a payment, held against the invariants."""
    import grpc

    from devstack.invariants import check
    from devstack.show import show_json, show_trail, show_verdicts, wide_console
    from devstack.trail import Operator, Trail

    stack = State(folder).running()

    async def run() -> Trail:
        async with Operator(stack) as operator:
            return await operator.trail(payment_id)

    try:
        trail = asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        raise StackError(str(error.details())) from error
    verdicts = check(trail)
    if as_json:
        told = asdict(trail) | {"invariants": [asdict(verdict) for verdict in verdicts]}
        click.echo(json.dumps(told, indent=2))
        return
    console = wide_console()
    show_json(console, "payment", trail.payment)
    show_trail(console, trail, {})
    show_verdicts(console, verdicts)
