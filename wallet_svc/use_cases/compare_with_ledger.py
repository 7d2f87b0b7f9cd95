"""Compares wallets with the ledger's accounts of the same ids, a page at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock
from wallet_svc.domain.comparison import Verdict, WalletDifference, differs, explain
from wallet_svc.domain.errors import LedgerNotConfigured
from wallet_svc.ports import LedgerBooks, WalletReader

PAGE = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a comparison is, and what it has found: all that differ, and those for good."""

    wallet_count: int = 0
    difference_count: int = 0
    unexplained_count: int = 0
    is_done: bool = False


async def compare_with_ledger(
    reader: WalletReader, books: LedgerBooks | None, clock: Clock, *, prefix: str = ""
) -> AsyncIterator[WalletDifference | Comparison]:
    """Compare the wallets whose id begins with `prefix`, and tell each that differs; after each
    page of 500, how far it is.

    Raises:
        LedgerNotConfigured: there are no books to compare with.
    """
    if books is None:
        raise LedgerNotConfigured
    so_far, after = Comparison(), ""
    while not so_far.is_done:
        page = await reader.wallets_from(prefix, after=after, limit=PAGE)
        balances = await books.balances([w.wallet_id for w in page]) if page else {}
        found = []
        for wallet in page:
            if not differs(wallet, balances.get(wallet.wallet_id)):
                continue
            difference = await _look_again(reader, books, wallet.wallet_id, clock())
            if difference is not None:
                found.append(difference)
                yield difference
        so_far = Comparison(
            so_far.wallet_count + len(page),
            so_far.difference_count + len(found),
            so_far.unexplained_count + sum(d.verdict is Verdict.DIFFERENCE for d in found),
            is_done=len(page) < PAGE,
        )
        yield so_far
        after = page[-1].wallet_id if page else after


async def _look_again(
    reader: WalletReader, books: LedgerBooks, wallet_id: str, now: datetime
) -> WalletDifference | None:
    """Read both sides anew, object by object: what was only between the two reads is gone."""
    operations = await reader.subject_sums(wallet_id)
    entries = await books.subject_sums(wallet_id)
    (wallet,) = await reader.wallets([wallet_id])
    balance = (await books.balances([wallet_id])).get(wallet_id)
    if not differs(wallet, balance):
        return None
    return explain(wallet, balance, operations, entries, now)
