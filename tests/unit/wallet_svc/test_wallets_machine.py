"""Whatever is applied and reversed in whatever batches, the wallets stay true."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.money import Money
from tests.unit.wallet_svc.builders import NOW, wallet
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind, NewOperation, Operation, reversal_id
from wallet_svc.domain.wallet import Wallet, WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, Pot, Wallets

NAMES = st.sampled_from(("alice", "bob", "frozen", "nobody"))
IDS = st.sampled_from(("o1", "o2", "o3", "o4", "o5", "o6", "o1:reversal"))
SUBJECTS = st.sampled_from(("", "pay_1", "pay_2"))
AMOUNTS = st.decimals("0.01", "20.00", places=2).map(lambda amount: Money(amount, "USD"))
OPERATIONS = st.builds(
    NewOperation, IDS, NAMES, st.sampled_from((Kind.CREDIT, Kind.SETTLE)), AMOUNTS, SUBJECTS
)


class WalletsMachine(RuleBasedStateMachine):
    """Holds what a database would, and decides batch after batch on it."""

    @initialize()
    def open(self) -> None:
        """Open the wallets."""
        self.held: dict[str, Wallet] = {
            "alice": wallet("alice"),
            "bob": wallet("bob"),
            "frozen": wallet("frozen", status=WalletStatus.FROZEN),
        }
        self.operations: dict[str, Operation] = {}
        self.closed: set[str] = set()

    def batch(self) -> Wallets:
        """Load everything."""
        pending: dict[Pot, Decimal] = defaultdict(Decimal)
        for known in self.operations.values():
            pending[Pot(known.wallet_id, known.subject_id)] += known.change.pending.amount
        return Wallets(
            self.held.values(), self.operations.values(), self.closed, pending=pending, now=NOW
        )

    def keep(self, wallets: Wallets) -> None:
        """Write what was decided; a key is written once."""
        for changed in wallets.changed:
            self.held[changed.wallet_id] = changed
        for operation in wallets.applied:
            assert operation.operation_id not in self.operations
            self.operations[operation.operation_id] = operation
        for operation_id in wallets.closings:
            assert operation_id not in self.closed
            self.closed.add(operation_id)

    @rule(items=st.lists(OPERATIONS, min_size=1, max_size=5))
    def apply(self, items: list[NewOperation]) -> None:
        """Apply a batch; each answer fits what was there before."""
        wallets = self.batch()
        for item in items:
            before = view(wallets)
            outcome = wallets.apply(item)
            match outcome:
                case Applied(operation, replayed=False):
                    assert wallets.applied[-1] is operation
                    assert (operation.kind, operation.amount) == (item.kind, item.amount)
                case Applied(operation, replayed=True):
                    assert view(wallets) == before
                    assert operation in (*self.operations.values(), *wallets.applied)
                case _:
                    assert view(wallets) == before
                    if item.operation_id in self.closed:
                        assert isinstance(outcome, errors.ReversedBeforeArrival)
        self.keep(wallets)

    @rule(items=st.lists(IDS, min_size=1, max_size=4))
    def reverse(self, items: list[str]) -> None:
        """Reverse a batch; a reversal takes back exactly what was credited."""
        wallets = self.batch()
        for item in items:
            before = view(wallets)
            outcome = wallets.reverse(item)
            match outcome:
                case Applied(operation):
                    credit = self.operations[item]
                    assert operation.operation_id == reversal_id(item)
                    assert (operation.amount, operation.reverses) == (credit.amount, item)
                case Closed():
                    assert view(wallets)[:2] == before[:2]
                    assert item not in self.operations
                case _:
                    assert view(wallets) == before
        self.keep(wallets)

    @rule(items=st.lists(OPERATIONS, min_size=1, max_size=3))
    def repeat(self, items: list[NewOperation]) -> None:
        """The same batch twice answers the same operations twice, and writes them once."""
        answers = []
        for _ in range(2):
            wallets = self.batch()
            answers.append([wallets.apply(item) for item in items])
            self.keep(wallets)

        for one, other in zip(*answers, strict=True):
            if isinstance(one, Applied):
                assert other == Applied(one.operation, replayed=True)

    @invariant()
    def balances_are_running_sums(self) -> None:
        """Of the operations, in the order of their sequence, without a gap, never below zero."""
        for held in self.held.values():
            pending = available = Decimal(0)
            history = [o for o in self.operations.values() if o.wallet_id == held.wallet_id]
            history.sort(key=lambda operation: operation.wallet_sequence)
            for sequence, operation in enumerate(history, 1):
                pending += operation.change.pending.amount
                available += operation.change.available.amount
                assert operation.wallet_sequence == sequence
                assert operation.pending_after.amount == pending >= 0
                assert operation.available_after.amount == available >= 0
                assert operation.held_after.amount == 0
            assert (held.pending.amount, held.available.amount) == (pending, available)
            assert held.operation_count == len(history)

    @invariant()
    def a_wallet_holds_credits_less_reversals(self) -> None:
        """Settling moves money; only credits bring it and only reversals take it."""
        for held in self.held.values():
            sums = {kind: Decimal(0) for kind in Kind}
            for operation in self.operations.values():
                if operation.wallet_id == held.wallet_id:
                    sums[operation.kind] += operation.amount.amount
            whole = held.pending.amount + held.available.amount
            assert whole == sums[Kind.CREDIT] - sums[Kind.REVERSAL]

    @invariant()
    def an_id_has_one_fate(self) -> None:
        """A closed id has no operation."""
        assert not self.closed & self.operations.keys()

    @invariant()
    def a_frozen_wallet_stays_empty(self) -> None:
        """It takes no operations."""
        assert self.held["frozen"].operation_count == 0


def view(wallets: Wallets) -> tuple[object, ...]:
    """Copy what a batch has decided so far."""
    return tuple(wallets.changed), len(wallets.applied), len(wallets.closings)


WalletsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestWalletsMachine = WalletsMachine.TestCase
