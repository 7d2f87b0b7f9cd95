"""Compares wallets with the ledger's accounts of the same ids and with their own histories, a page
at a time, and then the accounts of sellers with their wallets.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from chassis.clock import Clock
from chassis.errors import DeadlineExceeded, Unavailable
from wallet_svc.domain.comparison import (
    Verdict,
    WalletDifference,
    differs,
    explain,
    unexplained,
    unfounded,
)
from wallet_svc.domain.errors import LedgerNotConfigured
from wallet_svc.ports import LedgerBooks, WalletReader

PAGE = 500
SELLERS = "seller:"

# How far back it is looked for what explains a difference, until it does; None is the beginning.
_BACK = (timedelta(hours=1), timedelta(days=1), None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a comparison is, and what it has found: all that differ, and those that are not known
    to be under way.
    """

    wallet_count: int = 0
    difference_count: int = 0
    unexplained_count: int = 0
    is_done: bool = False
    account_count: int = 0


@dataclass(frozen=True, slots=True)
class _Page:
    """Wallets, or accounts, that differed at first sight, and how many were looked at."""

    differing: Iterable[str]
    wallet_count: int = 0
    account_count: int = 0


async def compare_with_ledger(
    reader: WalletReader, books: LedgerBooks | None, clock: Clock, *, prefix: str = ""
) -> AsyncIterator[WalletDifference | Comparison]:
    """Compare the wallets whose id begins with `prefix`, then the accounts of sellers that have
    none, and tell each that differs; after each page of 500, how far it is.

    Raises:
        LedgerNotConfigured: there are no books to compare with.
    """
    if books is None:
        raise LedgerNotConfigured
    so_far = Comparison()
    async for page in _pages(reader, books, prefix):
        found = []
        for wallet_id in page.differing:
            difference = await _look_again(reader, books, wallet_id, clock)
            if difference is not None:
                found.append(difference)
                yield difference
        so_far = Comparison(
            so_far.wallet_count + page.wallet_count,
            so_far.difference_count + len(found),
            so_far.unexplained_count + sum(d.verdict is not Verdict.IN_FLIGHT for d in found),
            account_count=so_far.account_count + page.account_count,
        )
        yield so_far
    yield replace(so_far, is_done=True)


async def _pages(reader: WalletReader, books: LedgerBooks, prefix: str) -> AsyncIterator[_Page]:
    after, is_last = "", False
    while not is_last:
        wallets = await reader.wallets_from(prefix, after=after, limit=PAGE)
        balances = await books.balances([w.wallet_id for w in wallets]) if wallets else {}
        names = [w.wallet_id for w in wallets]
        strange = set(await reader.unfounded(names)) if names else ()
        differing = [
            w.wallet_id
            for w in wallets
            if w.wallet_id in strange or differs(w, balances.get(w.wallet_id))
        ]
        yield _Page(differing, wallet_count=len(wallets))
        is_last = len(wallets) < PAGE
        after = wallets[-1].wallet_id if wallets else after
    if not (prefix.startswith(SELLERS) or SELLERS.startswith(prefix)):
        return
    token, is_last = "", False
    while not is_last:
        page = await books.accounts_from(max(prefix, SELLERS, key=len), token)
        names = [name for name, balance in page.balances.items() if differs(None, balance)]
        there = {w.wallet_id for w in await reader.wallets(names)} if names else set()
        yield _Page([n for n in names if n not in there], account_count=len(page.balances))
        token, is_last = page.next_token, not page.next_token


async def _look_again(
    reader: WalletReader, books: LedgerBooks, wallet_id: str, clock: Clock
) -> WalletDifference | None:
    """Read both sides anew: what was only between the two reads is gone."""
    is_strange = bool(await reader.unfounded([wallet_id]))
    told = await _explained(reader, books, wallet_id, clock, even_if_same=is_strange)
    return unfounded(told) if is_strange and told is not None else told


async def _explained(
    reader: WalletReader, books: LedgerBooks, wallet_id: str, clock: Clock, *, even_if_same: bool
) -> WalletDifference | None:
    """Explain a difference object by object; None when there is none.

    One that cannot be read, or not in time, is told so, and leaves the others alone.
    """
    for back in _BACK:
        now = clock()
        try:
            entries = await books.history(wallet_id, None if back is None else now - back)
            histories = await reader.history(wallet_id, entries.since), entries
        except (DeadlineExceeded, Unavailable):
            histories = None
        wallet = next(iter(await reader.wallets([wallet_id])), None)
        balance = (await books.balances([wallet_id])).get(wallet_id)
        if not (even_if_same or differs(wallet, balance)):
            return None
        told = unexplained(wallet_id, wallet, balance)
        if histories is None:
            return told
        told = explain(told, *histories, now)
        if told.is_whole:
            break
    return told
