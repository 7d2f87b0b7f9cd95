"""The wallets in memory do what the plain model does."""

from decimal import Decimal

from hypothesis import settings
from hypothesis.stateful import invariant

from tests.unit.wallet_svc.memory_store import MemoryStore
from tests.unit.wallet_svc.wallet_machine import WalletMachine


class InMemory(WalletMachine):
    """Decides without a database."""

    store: MemoryStore

    def make_store(self) -> MemoryStore:
        """Make empty wallets."""
        return MemoryStore(self.clock)

    @invariant()
    def balances_are_running_sums(self) -> None:
        """Of the operations, in the order of their places, without a gap."""
        for wallet in self.store.kept.values() if hasattr(self, "store") else ():
            sums = [Decimal(0)] * 3
            history = [o for o in self.store.operations.values() if o.wallet_id == wallet.wallet_id]
            history.sort(key=lambda operation: operation.sequence)
            for sequence, operation in enumerate(history, 1):
                sums = [a + b for a, b in zip(sums, operation.change, strict=True)]
                assert operation.sequence == sequence
                assert list(operation.after[:3]) == sums
                assert sums[0] >= 0 <= sums[2]
            assert list(wallet.standing[:3]) == sums
            assert wallet.standing.operation_count == len(history)

    @invariant()
    def an_id_has_one_fate(self) -> None:
        """A closed id has no operation."""
        if hasattr(self, "store"):
            assert not self.store.closed & self.store.operations.keys()


InMemory.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestInMemory = InMemory.TestCase
