"""Comparing all wallets with all accounts, page by page, whatever cannot be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from chassis.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from tests.unit.wallet_svc.builders import NOW, wallet
from tests.unit.wallet_svc.subject_sums import OLD, YOUNG, sums
from wallet_svc.domain.comparison import Balance, History, Verdict, WalletDifference
from wallet_svc.domain.errors import LedgerNotConfigured
from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import AccountPage
from wallet_svc.reader import WalletReader
from wallet_svc.use_cases.compare_with_ledger import PAGE, Comparison, compare_with_ledger


class Both:
    """Wallets and books in memory."""

    def __init__(
        self, wallets: Sequence[Wallet], balances: Mapping[str, str], *, page: int = 2
    ) -> None:
        self.kept = {wallet.wallet_id: wallet for wallet in wallets}
        self.books = {name: Balance(Decimal(amount), "USD") for name, amount in balances.items()}
        self.trouble: dict[str, Exception] = {}
        self.strange: list[str] = []
        self.asked: list[tuple[str, datetime | None]] = []
        self._page = page

    async def wallets(self, wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        """Find wallets."""
        return [self.kept[name] for name in wallet_ids if name in self.kept]

    async def wallets_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Wallet]:
        """List wallets."""
        names = sorted(n for n in self.kept if n.startswith(prefix) and n > after)
        return [self.kept[name] for name in names[:limit]]

    async def unfounded(self, wallet_ids: Sequence[str]) -> Sequence[str]:
        """Name those that were said to be."""
        return [name for name in self.strange if name in wallet_ids]

    async def balances(self, account_ids: Sequence[str]) -> Mapping[str, Balance]:
        """Read accounts."""
        return {name: self.books[name] for name in account_ids if name in self.books}

    async def accounts_from(self, prefix: str, token: str) -> AccountPage:
        """List accounts."""
        names = sorted(n for n in self.books if n.startswith(prefix) and n > token)
        shown = names[: self._page]
        ends = len(names) <= self._page
        return AccountPage({n: self.books[n] for n in shown}, "" if ends else shown[-1])

    async def history(self, name: str, since: datetime | None) -> History:
        """Say that nothing was done but what the wallet, or the account, had since a time."""
        self.asked.append((name, since))
        if name in self.trouble:
            raise self.trouble[name]
        return History(since, Decimal(0), {})


async def compared(
    both: Both, prefix: str = "", *, reader: Both | None = None
) -> list[WalletDifference | Comparison]:
    """Compare to the end."""
    wallets: WalletReader = reader or both  # type: ignore[assignment]
    return [one async for one in compare_with_ledger(wallets, both, lambda: NOW, prefix=prefix)]


async def test_pages_cover_every_wallet() -> None:
    """More than a page; the last message says that all were compared."""
    wallets = [wallet(f"w:{n:04}") for n in range(PAGE + 3)]
    wallets[1] = wallets[1]._replace(standing=wallet(pending="1.00").standing)
    both = Both(wallets, {"w:0002": "5.00", f"w:{PAGE:04}": "0.00"})

    told = await compared(both)

    found = [d.wallet_id for d in told if isinstance(d, WalletDifference)]
    assert found == ["w:0001", "w:0002"]
    assert told[2] == Comparison(PAGE, 2, 2, is_done=False)
    assert told[-1] == Comparison(PAGE + 3, 2, 2, is_done=True)


@pytest.mark.parametrize("trouble", [DeadlineExceeded("Too many."), Unavailable("Too slow.")])
async def test_a_wallet_that_cannot_be_explained_leaves_the_others_alone(
    trouble: Exception,
) -> None:
    """It is told so, and counts among those that need somebody; what comes after is compared."""
    both = Both([wallet(f"w:{n}", pending="1.00") for n in range(3)], {})
    both.trouble["w:1"] = trouble

    *told, last = await compared(both)

    verdicts = [d.verdict for d in told if isinstance(d, WalletDifference)]
    assert verdicts == [Verdict.DIFFERENCE, Verdict.UNEXPLAINED, Verdict.DIFFERENCE]
    assert last == Comparison(3, 3, 3, is_done=True)


@pytest.mark.parametrize("trouble", [None, Unavailable("Too slow.")])
async def test_a_wallet_that_no_operation_made_differs_though_the_totals_agree(
    trouble: Exception | None,
) -> None:
    """Whatever else can be read of it, and however young what was done with it is."""
    both = Both([wallet("w:0", pending="1.00"), wallet("w:1")], {"w:0": "1.00"})
    both.strange = ["w:0"]
    if trouble is not None:
        both.trouble["w:0"] = trouble

    *told, last = await compared(both)

    (found,) = [d for d in told if isinstance(d, WalletDifference)]
    assert (found.wallet_id, found.difference) == ("w:0", Decimal(0))
    assert (found.verdict, found.is_unfounded) == (Verdict.DIFFERENCE, True)
    assert last == Comparison(2, 1, 1, is_done=True)


async def test_other_trouble_ends_a_comparison() -> None:
    """Nothing is said of what was not compared."""
    both = Both([wallet("w", pending="1.00")], {})
    both.trouble["w"] = FailedPrecondition("No.")

    with pytest.raises(FailedPrecondition):
        await compared(both)


class Reader(Both):
    """Wallets that had something at a time, and what was done since."""

    def __init__(self, had: Wallet, arose: datetime) -> None:
        super().__init__([had], {})
        self._arose = arose

    async def history(self, name: str, since: datetime | None) -> History:
        """Tell what was done since a time."""
        (had,) = await self.wallets([name])
        if since is not None and self._arose < since:
            return History(since, had.standing.pending, {})
        return History(
            since, Decimal(0), sums(("pay_1", str(had.standing.pending)), at=self._arose)
        )


@pytest.mark.parametrize(("arose", "unexplained"), [(YOUNG, 0), (OLD, 1)])
async def test_what_is_in_flight_needs_nobody(arose: datetime, unexplained: int) -> None:
    """It counts among what differs alone."""
    reader, books = Reader(wallet("w", pending="1.00"), arose), Both([], {"w": "0.00"})

    *_, last = await compared(books, reader=reader)

    assert last == Comparison(1, 1, unexplained, is_done=True)


@pytest.mark.parametrize(
    ("arose", "asked"),
    [
        (timedelta(minutes=59), [1]),
        (timedelta(minutes=61), [1, 24]),
        (timedelta(hours=25), [1, 24, None]),
    ],
)
async def test_no_more_is_read_than_explains_a_difference(
    arose: timedelta, asked: list[int | None]
) -> None:
    """An hour, a day, all; however far back it arose, the object is named."""
    reader, books = Reader(wallet("w", pending="1.00"), NOW - arose), Both([], {"w": "0.00"})

    found, *_ = await compared(books, reader=reader)

    assert isinstance(found, WalletDifference)
    assert [s.subject_id for s in found.subjects] == ["pay_1"]
    since = [None if back is None else NOW - timedelta(hours=back) for back in asked]
    assert [at for _, at in books.asked] == since


SELLERS_BOOKS = {"seller:a": "1.00", "seller:b": "2.00", "seller:c": "0.00", "seller:d": "3.00"}


@pytest.mark.parametrize(
    ("prefix", "named", "looked_at"),
    [
        ("", ["seller:b", "seller:d"], 4),
        ("sel", ["seller:b", "seller:d"], 4),
        ("seller:d", ["seller:d"], 1),
        ("psp:", [], 0),
    ],
)
async def test_a_sellers_account_without_a_wallet_is_named(
    prefix: str, named: list[str], looked_at: int
) -> None:
    """When it has something; other accounts are no wallets."""
    both = Both(
        [wallet("seller:a", pending="1.00")], SELLERS_BOOKS | {"psp:bank:USD": "6.00"}, page=3
    )

    told = await compared(both, prefix)

    found = [d for d in told if isinstance(d, WalletDifference)]
    assert [d.wallet_id for d in found] == named
    assert not any(d.has_wallet for d in found)
    assert {d.verdict for d in found} <= {Verdict.DIFFERENCE}
    last = told[-1]
    assert isinstance(last, Comparison)
    assert (last.account_count, last.difference_count) == (looked_at, len(named))


async def test_a_wallet_that_was_opened_meanwhile_is_compared() -> None:
    """Between the two looks at its account."""
    both = Both([], {"seller:a": "1.00"})
    late: list[Sequence[Wallet]] = [[], [wallet("seller:a", pending="1.00")]]

    async def wallets(wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        return late.pop(0)

    both.wallets = wallets  # type: ignore[method-assign]

    assert await compared(both) == [
        Comparison(0),
        Comparison(0, account_count=1),
        Comparison(0, is_done=True, account_count=1),
    ]


async def test_a_prefix_chooses_wallets() -> None:
    """None begin so: nothing is compared, and that is all."""
    told = await compared(Both([wallet("w")], {}), "x")

    assert told == [Comparison(), Comparison(is_done=True)]


async def test_without_books_there_is_nothing_to_compare() -> None:
    """The refusal says which setting is missing."""
    reader: WalletReader = Both([], {})  # type: ignore[assignment]
    with pytest.raises(LedgerNotConfigured, match="LEDGER_TARGET"):
        _ = [one async for one in compare_with_ledger(reader, None, lambda: NOW)]
