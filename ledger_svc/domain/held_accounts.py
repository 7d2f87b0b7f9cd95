"""All accounts at once, as verification holds them: what they say, and what their entries made.

In columns: an account costs a third of what objects of its own would, and the garbage collector,
whose rounds keep everybody waiting, finds a few lists instead of millions of things.
"""

from array import array
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from chassis.money import Money, currency_decimals
from ledger_svc.domain.account import AccountType, Side, Standing

_NOTHING = Decimal(0)


class AccountNow(NamedTuple):
    """What an account says it has."""

    type: AccountType
    standing: Standing


class HeldAccounts:
    """What accounts say they have, at one moment; each has a place, in the order of adding.

    Attributes:
        places: by account id.
        grows_by_debit: whether a debit adds to the balance, by place.
        currencies, balances, counts: by place.
        pending: what is coming and going, by place, of those accounts where anything is.
    """

    __slots__ = ("balances", "counts", "currencies", "grows_by_debit", "pending", "places")

    def __init__(self, accounts: Mapping[str, AccountNow] | None = None) -> None:
        self.places: dict[str, int] = {}
        self.grows_by_debit: list[bool] = []
        self.currencies: list[str] = []
        self.balances: list[Decimal] = []
        self.counts: array[int] = array("q")
        self.pending: dict[int, tuple[Decimal, Decimal]] = {}
        for account_id, now in (accounts or {}).items():
            self.add(account_id, now)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def add(self, account_id: str, now: AccountNow) -> None:
        """Hold one more, which is not there yet."""
        place = self.places[account_id] = len(self.places)
        balance, coming, going, entry_count = now.standing
        self.grows_by_debit.append(now.type.normal_side is Side.DEBIT)
        self.currencies.append(balance.currency)
        self.balances.append(balance.amount)
        self.counts.append(entry_count)
        if coming.amount or going.amount:
            self.pending[place] = coming.amount, going.amount

    def pending_at(self, place: int) -> tuple[Decimal, Decimal]:
        """Tell what is coming to an account and going from it."""
        return self.pending.get(place, (_NOTHING, _NOTHING))

    def money(self, amount: Decimal, place: int) -> str:
        """Write an amount as an account's currency has it."""
        kept = round(amount, currency_decimals(self.currencies[place]))
        return f"{kept if kept == amount else amount}"


class WalkedAccounts:
    """What entries have made of accounts so far.

    Args:
        held: the accounts, all of them; the places are theirs.
    """

    __slots__ = ("balances", "counts", "held")

    def __init__(self, held: HeldAccounts) -> None:
        self.held = held
        self.balances: list[Decimal] = [_NOTHING] * len(held)
        self.counts: array[int] = array("q", bytes(8 * len(held)))

    def begin_at(self, account_id: str, balance: Decimal, entry_count: int) -> None:
        """Take what earlier entries have made of an account; one that is not held is left out."""
        place = self.held.places.get(account_id)
        if place is not None:
            self.balances[place], self.counts[place] = balance, entry_count

    def names(self) -> Iterator[str]:
        """Name the accounts that have had entries."""
        return (name for name, place in self.held.places.items() if self.counts[place])

    def had(self, account_id: str) -> tuple[Money, int]:
        """Tell what an account has by now, and by how many entries."""
        place = self.held.places[account_id]
        balance = Money.of_stored(self.balances[place], self.held.currencies[place])
        return balance, self.counts[place]
