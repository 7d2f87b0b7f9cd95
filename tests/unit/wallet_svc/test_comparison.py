"""Comparing wallets with accounts: what differs, and which object is at fault."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.unit.wallet_svc.builders import NOW, wallet
from wallet_svc.domain.comparison import (
    SUBJECTS_MAX,
    Balance,
    SubjectSum,
    Verdict,
    WalletDifference,
    differs,
    explain,
)
from wallet_svc.domain.errors import LedgerNotConfigured
from wallet_svc.domain.wallet import Wallet
from wallet_svc.reader import WalletReader
from wallet_svc.use_cases.compare_with_ledger import PAGE, Comparison, compare_with_ledger

OLD, YOUNG = NOW - timedelta(seconds=60), NOW - timedelta(seconds=59)


def sums(*found: tuple[str, str], at: object = OLD) -> dict[str, SubjectSum]:
    """Make what was done for objects."""
    return {name: SubjectSum(Decimal(total), at) for name, total in found}  # type: ignore[arg-type]


def test_a_wallet_is_all_that_it_holds() -> None:
    """Pending, available below zero, and held together are the account's balance."""
    held = wallet(pending="5.00", available="-2.00", held="1.00")

    assert not differs(held, Balance(Decimal("4.0000"), "USD"))
    assert differs(held, Balance(Decimal("4.01"), "USD"))
    assert differs(held, Balance(Decimal("4.00"), "EUR"))
    assert differs(held, None)
    assert not differs(wallet(), None)


def test_objects_at_fault_are_named() -> None:
    """Those whose sums agree are not; an object that one side knows alone is."""
    found = explain(
        wallet(pending="9.00"),
        Balance(Decimal("7.00"), "USD"),
        sums(("pay_1", "5.00"), ("pay_2", "3.00"), ("pay_3", "1.00")),
        sums(("pay_1", "5.00"), ("pay_2", "2.00"), ("pay_4", "0.50")),
        NOW,
    )

    told = [(s.subject_id, s.wallet_sum - s.ledger_sum) for s in found.subjects]
    assert told == [("pay_2", Decimal(1)), ("pay_3", Decimal(1)), ("pay_4", Decimal("-0.50"))]
    assert (found.difference, found.verdict) == (Decimal(2), Verdict.DIFFERENCE)


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        (YOUNG, None, Verdict.IN_FLIGHT),
        (OLD, YOUNG, Verdict.IN_FLIGHT),
        (OLD, OLD, Verdict.DIFFERENCE),
        (OLD, None, Verdict.DIFFERENCE),
    ],
)
def test_the_newest_activity_tells_what_is_in_flight(
    mine: object, theirs: object, verdict: Verdict
) -> None:
    """Of either side, for a minute."""
    entries = sums(("pay_1", "4.00"), at=theirs) if theirs else {}

    found = explain(wallet(pending="5.00"), None, sums(("pay_1", "5.00"), at=mine), entries, NOW)

    assert [s.verdict for s in found.subjects] == [verdict]
    assert found.verdict is verdict


def test_one_object_for_good_makes_the_wallet_differ() -> None:
    """Whatever else is under way."""
    operations = sums(("old", "1.00")) | sums(("young", "1.00"), at=YOUNG)

    found = explain(wallet(pending="2.00"), None, operations, {}, NOW)

    assert found.verdict is Verdict.DIFFERENCE
    assert [s.verdict for s in found.subjects] == [Verdict.DIFFERENCE, Verdict.IN_FLIGHT]


@pytest.mark.parametrize(("at", "verdict"), [(YOUNG, Verdict.IN_FLIGHT), (OLD, Verdict.DIFFERENCE)])
def test_a_difference_that_no_object_explains(at: object, verdict: Verdict) -> None:
    """It may lie between two reads while the wallet moves; else the wallet's row is wrong."""
    same = sums(("pay_1", "5.00"), at=at)

    found = explain(wallet(pending="6.00"), Balance(Decimal(5), "USD"), same, same, NOW)

    assert (found.subjects, found.verdict) == ([], verdict)


def test_no_more_than_a_thousand_objects_are_told() -> None:
    """A wallet that was never booked has as many as it had payments."""
    many = sums(*((f"pay_{n}", "1.00") for n in range(SUBJECTS_MAX + 5)))

    assert len(explain(wallet(pending="1.00"), None, many, {}, NOW).subjects) == SUBJECTS_MAX


class Both:
    """Wallets and books in memory."""

    def __init__(self, wallets: Sequence[Wallet], balances: Mapping[str, str]) -> None:
        self.kept = {wallet.wallet_id: wallet for wallet in wallets}
        self.books = {name: Balance(Decimal(amount), "USD") for name, amount in balances.items()}

    async def wallets(self, wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        """Find wallets."""
        return [self.kept[name] for name in wallet_ids]

    async def wallets_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Wallet]:
        """List wallets."""
        names = sorted(n for n in self.kept if n.startswith(prefix) and n > after)
        return [self.kept[name] for name in names[:limit]]

    async def balances(self, account_ids: Sequence[str]) -> Mapping[str, Balance]:
        """Read accounts."""
        return {name: self.books[name] for name in account_ids if name in self.books}

    async def subject_sums(self, name: str) -> Mapping[str, SubjectSum]:
        """Say that nothing was done: the row itself is wrong."""
        return {}


async def compared(both: Both, prefix: str = "") -> list[WalletDifference | Comparison]:
    """Compare to the end."""
    reader: WalletReader = both  # type: ignore[assignment]
    return [one async for one in compare_with_ledger(reader, both, lambda: NOW, prefix=prefix)]


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


async def test_a_prefix_chooses_wallets() -> None:
    """None begin so: nothing is compared, and that is all."""
    assert await compared(Both([wallet("w")], {}), "x") == [Comparison(is_done=True)]


async def test_without_books_there_is_nothing_to_compare() -> None:
    """The refusal says which setting is missing."""
    reader: WalletReader = Both([], {})  # type: ignore[assignment]
    with pytest.raises(LedgerNotConfigured, match="LEDGER_TARGET"):
        _ = [one async for one in compare_with_ledger(reader, None, lambda: NOW)]
