"""The verdict over all that is left: the facts of every service and the PSPs' own record, held
against the invariants, and made into the final reads of the history.
"""

import asyncio
from collections.abc import Sequence

from devstack.audit import (
    CHECKERS,
    Answer,
    Facts,
    Told,
    gather,
    judge_all,
    quiesce,
    unchecked,
    violations,
)
from devstack.trail import Json
from tests.chaos.history.events import GET, OK, Event, Posted, Stored
from tests.chaos.notices import Receiver, all_delivered
from tests.chaos.stage import Stage, as_role
from tests.refusals import refusals

_PSP_ACCOUNTS = "psp:"


async def audited(
    stage: Stage, events: Sequence[Event], receiver: Receiver, deadline_s: float
) -> tuple[Facts, list[str]]:
    """Wait until nothing moves any more, gather, and judge; answer the facts, and who offends.

    Raises:
        NotQuiescent: something still moves at the deadline.
        NotAudited: something cannot be read whole.
        TimeoutError: webhooks to the client are still to be sent at the deadline.
    """
    await all_delivered(stage.described, deadline_s)
    await quiesce(stage.described, deadline_s)
    refused = await refusals(stage.described, apart=False)
    facts = await gather(stage.described)
    told = Told(
        answers=[_answer(event) for event in events],
        notices=receiver.notices,
        notified_since=receiver.since,
        canaries={"the client's API key": stage.described["client"]["api_key"]},
        folders=[stage.state.logs],
        dumps={
            context: as_role(stage.state, context, f"{context}_owner")
            for context in stage.described["databases"]
        },
        refusals=refused,
    )
    verdicts = await asyncio.to_thread(judge_all, CHECKERS, facts, told)
    missing = sorted(unchecked(verdicts))
    return facts, violations(verdicts) + [f"{name} was not checked" for name in missing]


def _answer(event: Event) -> Answer:
    body = {"text": event.answer} if event.operation != GET and event.outcome == OK else None
    return Answer(
        sent_at=event.invoked,
        answered_at=event.returned,
        verb=event.operation,
        key=event.key,
        http_status=event.http,
        payment_id=event.payment_id,
        status=event.status if event.outcome == OK else "",
        body=body,
    )


def stored(facts: Facts, client_id: str) -> list[Stored]:
    """Put together what the database holds of a client's payments, with the whole history of it."""
    changes: dict[str, list[tuple[str, str, str]]] = {}
    for path in facts.paths:
        for move in path.path.split():
            before, _, after = move.partition(">")
            changes.setdefault(path.payment_id, []).append((path.subject_id, before, after))
    return [
        Stored(
            payment_id,
            payment.status,
            {one.payment_order_id: one.status for one in facts.orders_of.get(payment_id, ())},
            tuple(changes.get(payment_id, ())),
        )
        for payment_id, payment in facts.payments.items()
        if payment.client_id == client_id
    ]


def listed(payments: Sequence[Json]) -> list[Stored]:
    """Read what a client was told by the list of its payments."""
    return [
        Stored(
            payment["payment_id"],
            payment["status"],
            {order["payment_order_id"]: order["status"] for order in payment["payment_orders"]},
        )
        for payment in payments
    ]


def posted(facts: Facts) -> list[Posted]:
    """List in which order payments were booked on the PSPs' accounts."""
    return [
        Posted(entry.account_id, entry.sequence, facts.transaction[entry.transaction_id].subject_id)
        for entry in facts.entries
        if entry.account_id.startswith(_PSP_ACCOUNTS)
    ]
