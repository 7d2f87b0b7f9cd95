"""Whatever is posted and reversed in whatever batches, the books stay true (I1, I2)."""

from decimal import Decimal
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.money import Money, total
from ledger_svc.domain import errors
from ledger_svc.domain.account import Account, AccountStatus, AccountType, Side
from ledger_svc.domain.books import Books, Closed, Posted, Reversal
from ledger_svc.domain.transaction import Line, Posting, Transaction, reversal_reference
from tests.unit.ledger_svc.builders import NOW, account, ids, usd

ACCOUNTS = ("cash", "seller", "fees", "frozen", "floored")
NAMES = st.sampled_from((*ACCOUNTS, "nobody"))
REFERENCES = st.sampled_from(("r1", "r2", "r3", "r4", "r5", "r1:reversal"))
AMOUNTS = st.decimals("0.01", "20.00", places=2).map(lambda amount: Money(amount, "USD"))


@st.composite
def postings(draw: st.DrawFn) -> Posting:
    """Draw a balanced posting: one side in one line, the other in one to three."""
    amounts = draw(st.lists(AMOUNTS, min_size=1, max_size=3))
    whole = total(amounts, "USD")
    side = draw(st.sampled_from(Side))
    lines = [Line(draw(NAMES), side.opposite, amount) for amount in amounts]
    return Posting(draw(REFERENCES), (Line(draw(NAMES), side, whole), *lines))


REVERSALS = st.builds(Reversal, REFERENCES, st.just("undo"))


class BooksMachine(RuleBasedStateMachine):
    """Holds what a database would, and decides batch after batch on it."""

    @initialize()
    def open(self) -> None:
        """Open the accounts."""
        self.accounts: dict[str, Account] = {
            "cash": account("cash", AccountType.ASSET),
            "seller": account("seller", AccountType.LIABILITY),
            "fees": account("fees", AccountType.REVENUE),
            "frozen": account("frozen", AccountType.ASSET, status=AccountStatus.FROZEN),
            "floored": account("floored", AccountType.LIABILITY, floor=usd("5.00")),
        }
        self.transactions: dict[str, Transaction] = {}
        self.closed: set[str] = set()
        self.new_id = partial(next, ids())

    def batch(self) -> Books:
        """Load everything."""
        return Books(
            self.accounts.values(),
            self.transactions.values(),
            self.closed,
            now=NOW,
            new_transaction_id=self.new_id,
        )

    def keep(self, books: Books) -> None:
        """Write what was decided; a key is written once."""
        for account_ in books.changed:
            self.accounts[account_.account_id] = account_
        for transaction in books.posted:
            assert transaction.reference not in self.transactions
            self.transactions[transaction.reference] = transaction
        for closing in books.closings:
            assert closing.reference not in self.closed
            self.closed.add(closing.reference)

    @rule(items=st.lists(postings(), min_size=1, max_size=5))
    def post(self, items: list[Posting]) -> None:
        """Post a batch; each answer fits what was there before."""
        books = self.batch()
        for item in items:
            before, count = self.view(books), len(books.posted)
            outcome = books.post(item)
            match outcome:
                case Posted(transaction, replayed=False):
                    assert len(books.posted) == count + 1
                    assert [(e.account_id, e.side, e.amount) for e in transaction.entries] == [
                        (line.account_id, line.side, line.amount) for line in item.lines
                    ]
                case Posted(transaction, replayed=True):
                    assert self.view(books) == before
                    assert transaction in (
                        *self.transactions.values(),
                        *books.posted[:count],
                    )
                case _:
                    assert self.view(books) == before
                    if item.reference in self.closed:
                        assert isinstance(outcome, errors.ReversedBeforeArrival)
        self.keep(books)

    @rule(items=st.lists(REVERSALS, min_size=1, max_size=3))
    def reverse(self, items: list[Reversal]) -> None:
        """Reverse a batch; a reversal takes back exactly what was posted."""
        books = self.batch()
        for item in items:
            before = self.view(books)
            outcome = books.reverse(item)
            match outcome:
                case Posted(transaction):
                    assert transaction.reference == reversal_reference(item.reference)
                    assert transaction.reverses_reference == item.reference
                case Closed():
                    assert self.view(books)[:2] == before[:2]
                    assert item.reference not in self.transactions
                case _:
                    assert self.view(books) == before
        self.keep(books)

    @rule(items=st.lists(postings(), min_size=1, max_size=3))
    def repeat(self, items: list[Posting]) -> None:
        """The same batch twice answers the same transactions twice, and writes them once."""
        first_books = self.batch()
        first = [first_books.post(item) for item in items]
        self.keep(first_books)
        second_books = self.batch()
        second = [second_books.post(item) for item in items]
        self.keep(second_books)

        for one, other in zip(first, second, strict=True):
            if isinstance(one, Posted):
                assert other == Posted(one.transaction, replayed=True)

    def view(self, books: Books) -> tuple[object, ...]:
        """Copy what a batch has decided so far."""
        return tuple(books.changed), len(books.posted), len(books.closings)

    @invariant()
    def debits_equal_credits(self) -> None:
        """I1: in every transaction, and so over the ledger."""
        for transaction in self.transactions.values():
            assert side_sum(transaction, Side.DEBIT) == side_sum(transaction, Side.CREDIT)

    @invariant()
    def balances_are_running_sums(self) -> None:
        """I2: of the entries, in the order of their sequence, without a gap."""
        for held in self.accounts.values():
            history = sorted(
                (
                    entry
                    for transaction in self.transactions.values()
                    for entry in transaction.entries
                    if entry.account_id == held.account_id
                ),
                key=lambda entry: entry.account_sequence,
            )
            running = Decimal(0)
            for sequence, entry in enumerate(history, 1):
                grows = entry.side is held.type.normal_side
                running += entry.amount.amount if grows else -entry.amount.amount
                assert (entry.account_sequence, entry.balance_after.amount) == (sequence, running)
            assert (held.entry_count, held.balance.amount) == (len(history), running)

    @invariant()
    def floors_hold(self) -> None:
        """No entry that took something left less than the floor."""
        floored = self.accounts["floored"]
        assert floored.floor is not None
        for transaction in self.transactions.values():
            for entry in transaction.entries:
                if entry.account_id == "floored" and entry.side is Side.DEBIT:
                    assert entry.balance_after.amount >= floored.floor.amount

    @invariant()
    def a_reference_has_one_fate(self) -> None:
        """A closed reference has no transaction."""
        assert not self.closed & self.transactions.keys()

    @invariant()
    def a_frozen_account_stays_empty(self) -> None:
        """It takes no entries."""
        assert self.accounts["frozen"].entry_count == 0


def side_sum(transaction: Transaction, side: Side) -> Money:
    """Sum one side of a transaction."""
    return total((entry.amount for entry in transaction.entries if entry.side is side), "USD")


BooksMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestBooksMachine = BooksMachine.TestCase
