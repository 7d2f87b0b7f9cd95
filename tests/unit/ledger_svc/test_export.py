"""An export of many entries leaves turns to others."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from ledger_svc.domain.transaction import ListedEntry
from ledger_svc.ports import Archived, EntryFilter, Page
from ledger_svc.use_cases.export_entries import CHUNK, export_entries
from paging.slices import TURNS
from tests.unit.ledger_svc.builders import NOW, books, do, posting
from tests.unit.paging.turns import Turns


class Endless:
    """So many entries, in memory: it never waits, so that nobody else would have a turn.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        held = books()
        do(held, posting("a", "1.00"))
        (made,) = held.written
        self._entry = ListedEntry(made.entries[0], made.heading)
        self._left = count

    async def entries(self, which: EntryFilter, page: Page) -> Sequence[ListedEntry]:
        """Tell a page of them."""
        told = min(page.limit, self._left)
        self._left -= told
        return [self._entry] * told

    async def whole_until(self, wanted: datetime | None) -> datetime:
        """Tell a time."""
        return NOW

    async def archived(self) -> Archived | None:
        """Tell that nothing is."""
        return None


async def test_others_have_their_turns_while_entries_are_exported() -> None:
    """Several after each chunk, which is small; all are sent."""
    count = 0
    async with Turns() as turns:
        async for chunk in export_entries(Endless(20 * CHUNK + 1), EntryFilter(), ""):  # type: ignore[arg-type]
            assert len(chunk.entries) <= CHUNK <= 1_000
            count += len(chunk.entries)
        await asyncio.sleep(0)

    assert count == 20 * CHUNK + 1
    assert turns.count >= 20 * TURNS
