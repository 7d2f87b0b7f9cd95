"""Waits until a stack has come to rest: no faults, nothing due, nothing held, nothing untold, and
two looks at it alike. One that does not in time has failed; it is not passed over.

What has been unknown for a minute counts as at rest: it is asked for again and again, perhaps for
days, and each time nothing moves but the counts of asking.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import aiohttp
import psycopg

from devstack.audit.databases import Tell
from devstack.audit.gather import silent

_POLL_S = 0.25
_HEALED: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("DELETE", "/control/faults", {}),
    ("POST", "/control/dark", {"dark": False}),
    ("POST", "/control/webhooks", {}),
)
_UNKNOWN: LiteralString = (
    "queue = 'WAITING' AND memory ? 'unknown_since'"
    " AND (memory ->> 'unknown_since')::timestamptz < now() - interval '1 minute'"
)
_MOVING: LiteralString = f"FROM sagas WHERE NOT coalesce({_UNKNOWN}, false)"
_COUNT: LiteralString = f"SELECT count(*) {_MOVING} AND "
# What is still to be done, by database: a name for people, and how much of it there is.
_OPEN: Mapping[str, Sequence[tuple[str, LiteralString]]] = {
    "payment": (
        ("events not published", "SELECT count(*) FROM outbox WHERE published_at IS NULL"),
        ("sagas held", _COUNT + "lease_owner IS NOT NULL"),
        ("sagas runnable", _COUNT + "queue IN ('PAYMENT', 'RETRY')"),
        ("waiting sagas that are due", _COUNT + "queue = 'WAITING' AND due_at <= now()"),
        (
            "webhooks to clients that are due",
            "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING' AND due_at <= now()",
        ),
    ),
    "psp": (
        (
            "events of PSPs that are due",
            "SELECT count(*) FROM webhook_events WHERE due_at <= now()",
        ),
    ),
}
_PRINTS: Mapping[str, LiteralString] = {
    "payment": "SELECT (SELECT count(*) FROM payments), (SELECT sum(journal_length + epoch)"
    f" {_MOVING}), (SELECT count(*) FROM status_history), (SELECT count(*) FROM outbox),"
    " (SELECT sum(attempts) FROM webhook_deliveries)",
    "psp": "SELECT (SELECT sum(version) FROM attempts WHERE outcome <> 'UNKNOWN'"
    " OR created_at > now() - interval '1 minute'), (SELECT sum(version) FROM payouts),"
    " (SELECT count(*) FROM webhook_events)",
    "wallet": "SELECT sum(version) FROM wallets",
    "ledger": "SELECT sum(entry_count) FROM accounts",
}

Look = tuple[Mapping[str, int], Mapping[str, Any]]


class NotQuiescent(Exception):
    """The stack has not come to rest in time. `open` names what is still to be done, with counts;
    empty: it still changes, or cannot be looked at, as the message says.
    """

    def __init__(self, message: str, open_work: Mapping[str, int]) -> None:
        super().__init__(message)
        self.open = dict(open_work)


async def quiesce(
    stack: Mapping[str, Any],
    deadline_s: float,
    *,
    steady_s: float = 5.0,
    heal: bool = True,
    tell: Tell = silent,
) -> None:
    """Wait until a stack is at rest, and two looks at it `steady_s` apart are alike.

    Args:
        stack: stack.json's content.
        deadline_s: how long to wait at most, the steady time included.
        steady_s: how far apart the two looks are at least.
        heal: lift the PSP sandbox's faults, dark and webhook switches first.
        tell: is given a line whenever what is open has changed.

    Raises:
        NotQuiescent: it is not at rest by the deadline.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    trouble, told, healed = "", "", not heal
    steady: tuple[float, Mapping[str, Any]] | None = None
    work: Mapping[str, int] = {}
    while loop.time() < deadline:
        try:
            if not healed:
                await lift_faults(stack["psp_sandbox"]["url"])
                healed = True
            work, prints = await _look(stack)
            trouble = ""
        except (psycopg.Error, aiohttp.ClientError, TimeoutError) as error:
            steady, trouble = None, f"it cannot be looked at: {str(error).strip()}"
        else:
            if work or steady is None or steady[1] != prints:
                steady = None if work else (loop.time(), prints)
            elif loop.time() - steady[0] >= steady_s:
                return
        line = trouble or _named(work) or "nothing is open; waiting for two looks that are alike"
        if line != told:
            tell(line)
            told = line
        await asyncio.sleep(min(_POLL_S, max(steady_s / 4, 0.01)))
    why = trouble or _named(work) or "it still changes"
    raise NotQuiescent(f"not at rest within {deadline_s:g} s: {why}", work)


async def lift_faults(url: str) -> None:
    """Let the PSP sandbox behave again.

    Raises:
        aiohttp.ClientError, TimeoutError: it does not answer.
    """
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=10)) as http:
        for method, path, body in _HEALED:
            async with http.request(method, path, json=body) as response:
                response.raise_for_status()


async def _look(stack: Mapping[str, Any]) -> Look:
    """Tell what is open, and a print of all that there is."""
    urls = stack["databases"]
    looks = await asyncio.gather(
        *(asyncio.to_thread(_look_into, urls[context], context) for context in _PRINTS),
        _look_at_psps(stack["psp_sandbox"]["url"]),
    )
    work = {name: count for found, _ in looks for name, count in found.items() if count}
    return work, {name: value for _, prints in looks for name, value in prints.items()}


def _look_into(url: str, context: str) -> Look:
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.read_only = True
        work = {}
        for name, query in _OPEN.get(context, ()):
            row = connection.execute(query).fetchone()
            work[name] = int(row[0]) if row else 0
        return work, {context: connection.execute(_PRINTS[context]).fetchone()}


async def _look_at_psps(url: str) -> Look:
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(url, timeout=timeout) as http,
        http.get("/control/state") as response,
    ):
        response.raise_for_status()
        state = await response.json()
    waiting = state.get("webhooks", {}).get("waiting", 0)
    return {"webhooks of PSPs on their way": waiting}, {"record": state["record"]["lines"]}


def _named(work: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in work.items())
