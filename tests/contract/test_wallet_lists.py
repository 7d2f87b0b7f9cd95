"""ListOperations on real PostgreSQL: each operation that fits once, the newest first, however few
of those that are looked at do.
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.database import Database
from tests.unit.wallet_svc.builders import NOW, OTHER, SELLER, new_wallet, operation
from wallet_svc import ports
from wallet_svc.domain.operation import Kind, Operation
from wallet_svc.ports import OperationFilter, Period
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore
from wallet_svc.use_cases.list_operations import list_operations

COUNT = 40
# Clocks of those who write differ, by less than the five minutes that are allowed for.
CLOCKS = (0, 240, -40, 0, -200, 100)


def written_at(number: int) -> datetime:
    """Tell when the `number`th operation says that it was written: a minute after the last, but for
    the clock.
    """
    shift: int = CLOCKS[number % len(CLOCKS)]
    return NOW + timedelta(seconds=60 * number + shift)


@pytest.fixture
async def reader(wallet_db: Database) -> WalletReader:
    """Do forty operations of two wallets, of three kinds and objects."""
    moment = NOW
    store = WalletStore(wallet_db, clock=lambda: moment)
    await store.open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
    for number in range(COUNT):
        moment = written_at(number)
        wallet_id = OTHER if number % 4 == 3 else SELLER
        kind = Kind.SETTLE if number % 5 == 4 else Kind.CREDIT
        amount = "0.01" if kind is Kind.SETTLE else "5.00"
        (outcome,) = await store.do(
            [
                operation(
                    f"o:{number}",
                    amount,
                    wallet_id=wallet_id,
                    kind=kind,
                    subject_id=f"pay_{number % 3}",
                )
            ]
        )
        assert not isinstance(outcome, Exception), outcome
    return WalletReader(wallet_db)


async def walk(
    reader: WalletReader, which: OperationFilter, size: int
) -> tuple[list[Operation], int]:
    """List page by page to the end; tell how many pages there were."""
    found: list[Operation] = []
    token, count = "", 0
    while True:
        page = await list_operations(reader, which, page_size=size, page_token=token)
        assert len(page.operations) <= size
        found += page.operations
        token, count = page.next_page_token, count + 1
        if not token:
            return found, count
        assert count < 4 * COUNT, "the pages do not end"


def fits(one: Operation, which: OperationFilter) -> bool:
    """Say by the definition whether an operation belongs in a list."""
    start, end = which.created.start, which.created.end
    return (
        which.wallet_id in ("", one.wallet_id)
        and which.subject_id in ("", one.subject_id)
        and which.kind in (None, one.kind)
        and (start is None or one.created_at >= start)
        and (end is None or one.created_at < end)
    )


@pytest.mark.parametrize("looked_at", [3, 2_000])
async def test_every_combination_of_filters_lists_what_fits_in_order(
    reader: WalletReader, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages of two, of which each looks at three, or at all."""
    everything, _ = await walk(reader, OperationFilter(), 500)
    assert len(everything) == COUNT
    monkeypatch.setattr(ports, "LOOKED_AT_MAX", looked_at)
    filters: dict[str, Any] = {
        "wallet_id": SELLER,
        "subject_id": "pay_1",
        "kind": Kind.SETTLE,
        "start": written_at(9),
        "end": written_at(28),
    }

    for size in range(len(filters) + 1):
        for names in itertools.combinations(filters, size):
            chosen = {name: filters[name] for name in names}
            created = Period(chosen.pop("start", None), chosen.pop("end", None))
            which = OperationFilter(**chosen, created=created)
            found, _ = await walk(reader, which, 2)
            wanted = [one for one in everything if fits(one, which)]
            if which.wallet_id and not which.subject_id:  # by place, whatever the clocks said
                wanted.sort(key=lambda one: one.sequence, reverse=True)
            assert found == wanted, names


async def test_what_is_rare_is_on_no_page_for_a_while(
    reader: WalletReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends when it has looked at enough; the list does when there is no token."""
    monkeypatch.setattr(ports, "LOOKED_AT_MAX", 7)
    nothing = OperationFilter(kind=Kind.CHARGEBACK)
    of_wallet = OperationFilter(SELLER, kind=Kind.CHARGEBACK)

    assert await walk(reader, nothing, 50) == ([], COUNT // 7 + 1)
    assert await walk(reader, of_wallet, 50) == ([], 30 // 7 + 1)


ENDS = [None, datetime(2, 1, 1, tzinfo=UTC), NOW, datetime(9998, 12, 31, tzinfo=UTC)]


@pytest.mark.parametrize("start", ENDS)
@pytest.mark.parametrize("end", ENDS)
async def test_any_period_of_any_wallet_has_places(
    reader: WalletReader, start: datetime | None, end: datetime | None
) -> None:
    """From the first time there is to the last; of a wallet that is none there is nothing."""
    which = OperationFilter(SELLER, created=Period(start, end))

    found, _ = await walk(reader, which, 500)

    everything, _ = await walk(reader, OperationFilter(SELLER), 500)
    assert found == [one for one in everything if fits(one, which)]
    assert await walk(reader, OperationFilter("nobody", created=which.created), 9) == ([], 1)
