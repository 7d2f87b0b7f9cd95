"""Whatever is posted, resolved, reversed, frozen and repeated, in whatever batches: the books stay
true (I1, I2) and equal the plain model.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.money import Money, total
from ledger_svc.domain import chain
from ledger_svc.domain.account import Account, AccountStatus, Side
from ledger_svc.domain.books import Books, Closed, Outcome, Posted
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Command
from ledger_svc.domain.transaction import Kind, Transaction, hashed
from tests.unit.ledger_svc.builders import NOW, account
from tests.unit.ledger_svc.commands import PLACES, batches, parts_of, resolutions, reversals
from tests.unit.ledger_svc.model import Model


def end(outcome: Outcome) -> str:
    """Tell an outcome as the model does."""
    match outcome:
        case Posted(transaction, replayed):
            return "replayed" if replayed else transaction.kind
        case Closed():
            return "closed"
        case Refusal():
            return outcome.reason


class BooksMachine(RuleBasedStateMachine):
    """Holds what a database would, and decides batch after batch on it, beside the model."""

    @initialize()
    def open(self) -> None:
        """Open the accounts."""
        self.model = Model(deepcopy(PLACES))
        self.accounts: dict[str, Account] = {
            name: account(
                name,
                place.type,
                status=place.status,
                floor=None if place.floor is None else Money(place.floor, "USD"),
                ceiling=None if place.ceiling is None else Money(place.ceiling, "USD"),
            )
            for name, place in PLACES.items()
        }
        self.written: list[Transaction] = []
        self.closed: set[str] = set()
        self.heads = {stream: Head(stream) for stream in (1, 2)}
        self.now = NOW

    @rule(commands=batches(), stream=st.sampled_from((1, 2)))
    def do(self, commands: list[Command], stream: int) -> None:
        """Decide a batch; each answer is the model's."""
        ends = [end(outcome) for outcome in self.decide(commands, stream)]

        assert ends == self.model.batch(commands, self.now)

    @rule(data=st.data(), stream=st.sampled_from((1, 2)))
    def undo(self, data: st.DataObject, stream: int) -> None:
        """Resolve or reverse what is there, in full or in part; each answer is the model's."""
        with_lines = [transaction for transaction in self.written if transaction.lines]
        if not with_lines:
            return
        there = data.draw(st.sampled_from(with_lines))
        make = resolutions if there.kind is Kind.PENDING else reversals
        command = data.draw(make(st.just(there.reference), parts_of(there.lines)))

        ends = [end(outcome) for outcome in self.decide([command], stream)]

        assert ends == self.model.batch([command], self.now)

    @rule(commands=batches(), stream=st.sampled_from((1, 2)))
    def repeat(self, commands: list[Command], stream: int) -> None:
        """What was done and is asked for again answers the same, and is written once."""
        first = self.decide(commands, stream)
        self.model.batch(commands, self.now)
        count = len(self.written)
        done = [
            (replace(command, is_linked=False) if hasattr(command, "is_linked") else command, one)
            for command, one in zip(commands, first, strict=True)
            if not isinstance(one, Refusal)
        ]

        again = self.decide([command for command, _ in done], 3 - stream)

        for (_, one), other in zip(done, again, strict=True):
            assert other == replace(one, replayed=True)
        assert len(self.written) == count

    @rule(name=st.sampled_from(("cash", "frozen")), status=st.sampled_from(AccountStatus))
    def change_status(self, name: str, status: AccountStatus) -> None:
        """Freeze, unfreeze or close an account as far as it may be."""
        try:
            self.accounts[name] = self.accounts[name].with_status(status)
        except Refusal:
            return
        self.model.places[name].status = status

    @rule()
    def wait(self) -> None:
        """Let half an hour go by: what is pending may have had its time."""
        self.now += timedelta(minutes=30)

    def decide(self, commands: Sequence[Command], stream: int) -> list[Outcome]:
        """Load everything, decide, and write what was decided."""
        self.now += timedelta(microseconds=1)
        taken_back: dict[str, list[Transaction]] = {}
        for one in self.written:
            taken_back.setdefault(one.heading.reverses_reference, []).append(one)
        books = Books(
            self.accounts.values(),
            self.written,
            self.closed,
            reversals=taken_back,
            head=self.heads[stream],
            now=self.now,
        )
        outcomes = decide(books, commands)
        for account_, standing in books.changed:
            self.accounts[account_.account_id] = replace(account_, standing=standing)
        self.written += books.written
        self.closed |= {closing.reference for closing in books.closings}
        self.heads[stream] = books.head
        return outcomes

    @invariant()
    def debits_equal_credits(self) -> None:
        """I1: in every transaction, and so over the ledger."""
        for transaction in self.written:
            assert side_sum(transaction, Side.DEBIT) == side_sum(transaction, Side.CREDIT)

    @invariant()
    def balances_are_running_sums(self) -> None:
        """I2: in the order of the transaction ids, without a gap."""
        ordered = sorted(self.written, key=lambda transaction: transaction.transaction_id)
        for held in self.accounts.values():
            running, count = Money.zero("USD"), 0
            for entry in (e for t in ordered for e in t.entries if e.account_id == held.account_id):
                grows = entry.side is held.type.normal_side
                running, count = (
                    running + entry.amount if grows else running - entry.amount,
                    count + 1,
                )
                assert (entry.balance_after, entry.account_sequence) == (running, count)
            assert (held.balance, held.standing.entry_count) == (running, count)

    @invariant()
    def accounts_equal_the_model(self) -> None:
        """What they have and what is pending on them."""
        for name, held in self.accounts.items():
            now = held.standing
            assert (now.balance.amount, now.pending_in.amount, now.pending_out.amount) == (
                self.model.balance(name),
                self.model.pending(name, coming=True),
                self.model.pending(name, coming=False),
            )

    @invariant()
    def each_stream_is_a_chain(self) -> None:
        """Numbers have no gap, and each hash follows from the one before and its content."""
        for stream, head in self.heads.items():
            previous, number = chain.GENESIS, 0
            for one in self.written:
                if chain.place(one.transaction_id)[0] != stream:
                    continue
                number += 1
                said = one.heading, one.created_at, one.entries, one.pending
                assert chain.place(one.transaction_id)[1] == number
                assert one.hash == hashed(previous, one.transaction_id, *said)
                previous = one.hash
            assert (head.number, head.hash) == (number, previous)

    @invariant()
    def a_reference_has_one_fate(self) -> None:
        """A closed reference has no transaction, and a transaction's reference no other."""
        references = [transaction.reference for transaction in self.written]
        assert len(set(references)) == len(references)
        assert not self.closed & set(references)


def side_sum(transaction: Transaction, side: Side) -> Money:
    """Sum one side of a transaction."""
    return total((entry.amount for entry in transaction.entries if entry.side is side), "USD")


BooksMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestBooksMachine = BooksMachine.TestCase
