"""Reads the PSP sandbox's own record, the truth about what moved at the PSPs: all pages of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import aiohttp

from chassis.money import currency_decimals
from devstack.audit.databases import Tell
from devstack.audit.facts import REASONS, RecordFact

# Where a PSP's minor units are not those of ISO 4217, from the PSPs' published tables. The gateway
# and the sandbox have theirs; a check must not share the table that it checks.
_DECIMALS: Mapping[str, Mapping[str, int]] = {
    "stripe": {"ISK": 2, "UGX": 2, "MGA": 0},
    "adyen": {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2},
    "paypal": {"HUF": 0, "TWD": 0},
}
_PAGE = 10_000
_TIMEOUT_S = 60.0


class IncompleteRecord(Exception):
    """The record has a gap, or changed while it was read: nothing can be proven by it."""


async def read_record(url: str, tell: Tell) -> list[RecordFact]:
    """Read the record from its first line to its last.

    Raises:
        aiohttp.ClientError, TimeoutError: the sandbox does not answer.
        IncompleteRecord: a page is missing.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as http:
        found = await _pages(http, {})
        for kind in REASONS:
            found += await _pages(http, {"kind": kind})
    places = [line["seq"] for line in found]
    if len(places) != len(set(places)):
        raise IncompleteRecord("a line of the PSPs' record came twice")
    tell(f"PSP sandbox: {len(found):,} lines of its record")
    return [record_fact(line) for line in sorted(found, key=lambda line: int(line["seq"]))]


async def _pages(http: aiohttp.ClientSession, query: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        asked = {**query, "after": str(after), "limit": str(_PAGE)}
        async with http.get("/control/record", params=asked) as response:
            response.raise_for_status()
            page = await response.json()
        if page["next"] is not None and page["next"] <= after:
            raise IncompleteRecord(f"the page after line {after} leads nowhere")
        found += page["entries"]
        after = page["next"]
    return found


def record_fact(line: Mapping[str, Any]) -> RecordFact:
    """Read a line of the record, its amount in the currency's own unit."""
    currency = line["currency"].upper()
    amount = Decimal()
    if currency:
        digits = _DECIMALS.get(line["psp"], {}).get(currency, currency_decimals(currency))
        amount = Decimal(line["amount"]).scaleb(-digits)
    told = line["metadata"]
    return RecordFact(
        line["seq"],
        line["psp"],
        line["kind"],
        line["reference"],
        line["payment_reference"],
        amount,
        currency,
        told.get("attempt_id", ""),
        told.get("payment_id", ""),
        line["idempotency_key"],
    )
