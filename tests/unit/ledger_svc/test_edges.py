"""Where reports, lists and seals begin and end, to the microsecond and the number."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from chassis.errors import InvalidRequest
from ledger_svc.domain import chain
from ledger_svc.domain.chain import GENESIS, Head
from ledger_svc.domain.errors import PeriodArchived
from ledger_svc.domain.seal import Seal, next_seal, seal_offences
from ledger_svc.domain.transaction import Entry
from ledger_svc.ports import Archived, EntryFilter, LedgerReader, Page, Period
from ledger_svc.use_cases.archive import require_effect_kept, require_kept
from ledger_svc.use_cases.get_statement import require_order
from ledger_svc.use_cases.list_entries import filters_of, list_entries, position_of
from paging.page_token import write_token
from tests.unit.ledger_svc.builders import NOW

TICK = timedelta(microseconds=1)
LATER = NOW + timedelta(days=9)


class Old:
    """Books without entries, archived until a time; what is archived may count until `LATER`."""

    async def archived(self) -> Archived:
        """Tell so."""
        return Archived(NOW, LATER)

    async def entries(self, which: EntryFilter, page: Page) -> Sequence[Entry]:
        """Tell of none."""
        return []


OLD = cast(LedgerReader, Old())


async def test_a_report_may_begin_where_the_archive_ends() -> None:
    """Not a microsecond before, and not at the beginning."""
    await require_kept(OLD, NOW)
    await require_effect_kept(OLD, LATER)

    for since in (NOW - TICK, None):
        with pytest.raises(PeriodArchived):
            await require_kept(OLD, since)
    for at in (LATER - TICK, None):
        with pytest.raises(PeriodArchived):
            await require_effect_kept(OLD, at)


@pytest.mark.parametrize(
    ("start", "told"), [(NOW, None), (NOW - TICK, NOW), (None, NOW)], ids=["from", "before", "all"]
)
async def test_a_list_tells_of_the_archive_if_it_begins_before(
    start: datetime | None, told: datetime | None
) -> None:
    """One that begins where the archive ends leaves nothing out."""
    which = EntryFilter(period=Period(start=start))

    page = await list_entries(OLD, which, page_size=1, page_token="")

    assert page.archived_until == told


def test_a_period_may_be_of_no_length() -> None:
    """It may not end before it starts."""
    require_order(Period(NOW, NOW))

    with pytest.raises(InvalidRequest):
        require_order(Period(NOW, NOW - TICK))


@pytest.mark.parametrize(
    "other",
    [
        EntryFilter(account_id="a"),
        EntryFilter(subject_id="a"),
        EntryFilter(reference="a"),
        EntryFilter(period=Period(start=NOW)),
        EntryFilter(period=Period(end=NOW)),
    ],
)
def test_a_token_goes_with_each_filter_it_was_made_with(other: EntryFilter) -> None:
    """A page of one list does not go on in another."""
    position = chain.first_id(NOW), 1
    token = write_token(filters_of(EntryFilter()), list(position))

    assert position_of(filters_of(EntryFilter()), token) == position
    with pytest.raises(InvalidRequest, match="made with other filters"):
        position_of(filters_of(other), token)


def test_a_seal_that_skips_a_number_is_told() -> None:
    """Though its hash follows from the one before: one between was taken away."""
    first, third = _seal(None, 1), _seal(_renumbered(_seal(None, 1), 2), 2)

    told = [offence.message for offence in seal_offences([first, third])]

    assert told == ["It follows 1."]


def _seal(last: Seal | None, number: int) -> Seal:
    made = next_seal(last, [Head(1, number, GENESIS, NOW)], NOW)
    assert made is not None
    return made


def _renumbered(seal: Seal, number: int) -> Seal:
    return replace(seal, number=number)
