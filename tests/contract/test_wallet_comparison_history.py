"""Wallets whose histories are long, compared with a real ledger: archived months, busy sellers."""

from datetime import datetime, timedelta

import psycopg
import pytest

from chassis.database import Database
from ledger_svc.domain.account import AccountType
from ledger_svc.store import LedgerStore
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.verification_reader import VerificationReader
from tests.contract.four_months import month_after, name_of
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc import builders as books
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc.domain.comparison import Verdict, WalletDifference
from wallet_svc.ledger_books import LedgerBooks
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore
from wallet_svc.use_cases.compare_with_ledger import Comparison, compare_with_ledger

NOW = month_after(3) + timedelta(days=10)
ARCHIVED = month_after(2)
A_SECOND = timedelta(seconds=1)


class Both:
    """Wallets and books with the same owners, each written at whatever time is said."""

    def __init__(self, wallets: Database, ledger: Database, owner_url: str) -> None:
        self.wallets = wallets
        self.ledger = ledger
        self.owner_url = owner_url
        self._at = month_after(1)
        self._books = LedgerStore(ledger, clock=lambda: self._at)

    async def credit(self, name: str, at: datetime, *, wallet_id: str = SELLER) -> None:
        """Credit a wallet a dollar."""
        store = WalletStore(self.wallets, clock=lambda: at)
        await store.do([operation(name, "1.00", wallet_id=wallet_id, subject_id=name)])

    async def book(self, name: str, at: datetime, *, account_id: str = SELLER) -> None:
        """Book a dollar, no earlier than the one before: one writer's times ascend."""
        self._at = at
        await self._books.do([books.posting(name, "1.00", credit=account_id, subject_id=name)])

    async def pay(self, name: str, at: datetime, *, wallet_id: str = SELLER) -> None:
        """Do both, as a payment does."""
        await self.book(name, at, account_id=wallet_id)
        await self.credit(name, at, wallet_id=wallet_id)

    async def archive(self) -> None:
        """Close the first two months and put them away."""
        reader = VerificationReader(self.ledger, clock=lambda: NOW)
        _ = [one async for one in close_month(reader, name_of(month_after(1)), lambda: NOW)]
        with psycopg.connect(self.owner_url) as owner:
            rows = owner.execute("SELECT archive_until(%s)", [ARCHIVED]).fetchall()
        assert rows


@pytest.fixture
async def both(wallet_db: Database, ledger_db: Database, ledger_database: ServiceDatabase) -> Both:
    """Open two sellers on both sides, each paid once in the month that is archived later."""
    await books.open_two(LedgerStore(ledger_db))
    await LedgerStore(ledger_db).open_accounts([books.new_account(OTHER, AccountType.LIABILITY)])
    await WalletStore(wallet_db).open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
    made = Both(wallet_db, ledger_db, ledger_database.owner_url)
    await made.pay("first", month_after(1))
    await made.pay("other", month_after(1), wallet_id=OTHER)
    return made


async def compared(
    both: Both, *, export_s: float = 60
) -> tuple[dict[str, WalletDifference], Comparison]:
    """Compare to the end, over the wire on the ledger's side."""
    async with books.served(both.ledger, clock=lambda: NOW) as stub:
        told = [
            one
            async for one in compare_with_ledger(
                WalletReader(both.wallets), LedgerBooks(stub, export_s=export_s), lambda: NOW
            )
        ]
    assert isinstance(told[-1], Comparison)
    return {one.wallet_id: one for one in told if isinstance(one, WalletDifference)}, told[-1]


def subjects(found: WalletDifference) -> list[str]:
    """Name the objects at fault."""
    return [one.subject_id for one in found.subjects]


async def test_what_differs_after_an_archived_month_is_told(both: Both) -> None:
    """Object by object since the archive; the comparison goes on to its end."""
    await both.archive()
    await both.pay("kept", month_after(2) + A_SECOND)
    await both.credit("lost", month_after(2) + timedelta(days=1))
    await both.credit("young", NOW, wallet_id=OTHER)

    found, comparison = await compared(both)

    assert subjects(found[SELLER]) == ["lost"]
    assert subjects(found[OTHER]) == ["young"]
    assert [found[name].verdict for name in (SELLER, OTHER)] == [
        Verdict.DIFFERENCE,
        Verdict.IN_FLIGHT,
    ]
    assert (comparison.wallet_count, comparison.is_done) == (2, True)


async def test_what_an_archive_cuts_in_two_is_no_difference(both: Both) -> None:
    """Booked in the last moment of an archived month, and applied in the first of the next."""
    await both.book("cut", ARCHIVED - A_SECOND)
    await both.credit("cut", ARCHIVED + A_SECOND)
    await both.archive()
    await both.credit("lost", month_after(2) + timedelta(days=1))

    found, _ = await compared(both)

    assert (subjects(found[SELLER]), str(found[SELLER].earlier)) == (["lost"], "0")
    assert found[SELLER].since == ARCHIVED


async def test_what_differed_before_the_archive_is_told_as_an_amount(both: Both) -> None:
    """What it is made of is archived; it stands for good."""
    await both.credit("lost", month_after(1) + timedelta(days=1))
    await both.archive()
    await both.pay("kept", month_after(2) + timedelta(days=1))

    found, _ = await compared(both)

    assert (subjects(found[SELLER]), str(found[SELLER].earlier)) == ([], "1.0000")
    assert found[SELLER].verdict is Verdict.DIFFERENCE


async def test_a_seller_with_too_many_entries_ends_no_comparison(both: Both) -> None:
    """The ledger does not send them in time: it is told so, and what follows is compared."""
    await both.credit("lost", NOW)

    found, comparison = await compared(both, export_s=0)

    assert (found[SELLER].verdict, str(found[SELLER].difference)) == (Verdict.UNEXPLAINED, "1.0000")
    assert (comparison.wallet_count, comparison.is_done) == (2, True)


@pytest.mark.parametrize("back", [timedelta(0), timedelta(hours=2), timedelta(days=2)])
async def test_a_difference_is_found_however_old_it_is(both: Both, back: timedelta) -> None:
    """And no older history is read than explains it; what was cut in two does not hide it."""
    hour = NOW - timedelta(hours=1)
    await both.book("cut", hour - A_SECOND)
    for at, name in sorted([(hour + A_SECOND, "cut"), (NOW - back - A_SECOND, "lost")]):
        await both.credit(name, at)

    found, _ = await compared(both)

    reached = {0: NOW - timedelta(hours=1), 2 * 3600: NOW - timedelta(days=1)}
    assert (subjects(found[SELLER]), str(found[SELLER].earlier)) == (["lost"], "0")
    assert found[SELLER].since == reached.get(int(back.total_seconds()))


async def test_what_is_done_as_a_history_begins_counts_once(both: Both) -> None:
    """It is of the history, on both sides, and not of what was before."""
    await both.pay("edge", NOW - timedelta(hours=1))
    await both.credit("lost", NOW)

    found, _ = await compared(both)

    assert subjects(found[SELLER]) == ["lost"]
    assert found[SELLER].since == NOW - timedelta(hours=1)


async def test_a_sellers_account_without_a_wallet_is_named(both: Both) -> None:
    """With what was booked for it."""
    stranger = "seller:demo:stranger:USD"
    asked = [books.new_account(stranger, AccountType.LIABILITY)]
    await LedgerStore(both.ledger).open_accounts(asked)
    await both.book("astray", NOW - timedelta(days=3), account_id=stranger)

    found, comparison = await compared(both)

    (only,) = found.values()
    assert (only.wallet_id, only.has_wallet, str(only.difference)) == (stranger, False, "-1.00")
    assert (only.verdict, subjects(only)) == (Verdict.DIFFERENCE, ["astray"])
    assert (comparison.wallet_count, comparison.account_count) == (2, 3)
