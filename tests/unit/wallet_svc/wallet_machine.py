"""Whatever is asked of wallets in whatever batches, they do what the plain model does.

Run on the wallets in memory by a unit test, and on PostgreSQL by a contract test.
"""

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.wallet_svc.builders import NOW
from tests.unit.wallet_svc.model import Model, Purse
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Command, Kind, NewOperation, Reversal
from wallet_svc.domain.wallet import NewWallet, WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome

LIMITS = {"alice": 0, "bob": 500, "carol": 0}
NAMES = st.sampled_from(("alice",) * 6 + ("bob",) * 4 + ("carol",) * 2 + ("nobody",))
HOLD_IDS = st.sampled_from(("h1", "h2", "h3", "h4"))
CREDIT_IDS = st.sampled_from(("c1", "c2", "c3", "c4", "c5"))
TRANSFER_IDS = st.sampled_from(("t1", "t2", "t3"))
IDS = st.integers(1, 80).map(lambda number: f"o{number}")
ODD_IDS = st.sampled_from(("c1:reversal", "t1:in", "t2:in", "c2:reversal", "h1", "t1"))
SUBJECTS = st.sampled_from(("", "pay_1", "pay_2"))
KINDS = (
    Kind.CREDIT, Kind.CREDIT, Kind.CREDIT, Kind.SETTLE, Kind.SETTLE, Kind.DEBIT, Kind.REFUND,
    Kind.CHARGEBACK, Kind.HOLD, Kind.HOLD, Kind.CAPTURE_HOLD, Kind.RELEASE, Kind.TRANSFER,
)  # fmt: skip


STATUSES = st.sampled_from(
    (WalletStatus.OPEN, WalletStatus.OPEN, WalletStatus.FROZEN, WalletStatus.CLOSED)
)
FUNDS = (Kind.CREDIT, Kind.SETTLE)


@dataclass(frozen=True)
class Step:
    """An operation to be asked for, and the second at which its hold ends."""

    asked: NewOperation
    ends: int | None = None


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw an operation with the fields that its kind has."""
    kind = draw(st.sampled_from(KINDS))
    cents = draw(st.integers(1, 800))
    wallet_id = draw(NAMES)
    refers_to, rest, ends = "", False, None
    own = {Kind.CREDIT: CREDIT_IDS | IDS, Kind.HOLD: HOLD_IDS, Kind.TRANSFER: TRANSFER_IDS | IDS}
    operation_id = draw(ODD_IDS if draw(st.integers(0, 15)) == 15 else own.get(kind, IDS))
    if kind in (Kind.CAPTURE_HOLD, Kind.RELEASE):
        refers_to = draw(HOLD_IDS)
    if kind is Kind.CAPTURE_HOLD:
        rest = draw(st.booleans())
    if kind is Kind.TRANSFER:
        refers_to = draw(NAMES.filter(lambda name: name != wallet_id))
    if kind is Kind.HOLD:
        ends = draw(st.none() | st.integers(0, 40))
    asked = NewOperation(
        operation_id,
        wallet_id,
        kind,
        Decimal(0) if kind is Kind.RELEASE else Decimal(cents) / 100,
        "USD",
        draw(SUBJECTS),
        refers_to,
        rest,
        None if ends is None else NOW + timedelta(seconds=ends),
        draw(st.sampled_from((None,) * 20 + (3, 4, 5))),
        draw(st.sampled_from((False,) * 4 + (True,))),
    )
    return Step(asked, ends)


def funds(wallet_id: str, kind: Kind) -> NewOperation:
    """Make what fills a wallet: 30 dollars to be spent, of a subject that nothing else is for."""
    return NewOperation(f"{wallet_id}:{kind}", wallet_id, kind, Decimal(30), "USD", "funds")


class WalletMachine(RuleBasedStateMachine):
    """Asks the wallets and the model the same, and compares."""

    store: Any
    loop: asyncio.AbstractEventLoop

    def make_store(self) -> Any:
        """Make empty wallets that go by `clock`."""
        raise NotImplementedError

    def next_id(self) -> int:
        """Count."""
        self.counted += 1
        return self.counted

    def run(self, coroutine: Any) -> Any:
        """Run to the end."""
        return self.loop.run_until_complete(coroutine)

    def clock(self) -> Any:
        """Tell the model's time."""
        return NOW + timedelta(seconds=self.model.now)

    @initialize()
    def open(self) -> None:
        """Open the wallets."""
        self.loop = asyncio.new_event_loop()
        self.model = Model({name: Purse(limit) for name, limit in LIMITS.items()})
        self.counted = 0
        self.last: tuple[list[Step], list[str]] = ([], [])
        self.store = self.make_store()
        self.run(
            self.store.open_wallets(
                [
                    NewWallet(name, "demo", name, "USD", credit_limit=Decimal(limit) / 100)
                    for name, limit in LIMITS.items()
                ]
            )
        )
        self.apply([Step(funds(name, kind)) for name in LIMITS for kind in FUNDS])

    def teardown(self) -> None:
        """Close the loop."""
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(batch=st.lists(steps(), min_size=1, max_size=6))
    def apply_batch(self, batch: list[Step]) -> None:
        """Apply a batch."""
        self.apply(batch)

    def apply(self, batch: list[Step]) -> None:
        """Apply a batch, of which the last is linked to nothing."""
        last = batch[-1]
        batch = [*batch[:-1], Step(last.asked._replace(is_linked=False), last.ends)]
        expected = self.in_model(batch)
        assert self.told([step.asked for step in batch]) == expected
        self.last = batch, expected

    @rule()
    def ask_again(self) -> None:
        """What was done answers so; what was refused may be done now."""
        batch, before = self.last
        if not batch:
            return
        expected = self.in_model(batch)
        assert self.told([step.asked for step in batch]) == expected
        for step, then, now in zip(batch, before, expected, strict=True):
            if then in ("", "REPLAYED") and not step.asked.is_linked:
                assert now in ("REPLAYED", "LINKED_REFUSED")

    @rule(
        data=st.data(),
        kind=st.sampled_from((Kind.CAPTURE_HOLD, Kind.CAPTURE_HOLD, Kind.RELEASE)),
        cents=st.integers(1, 500),
        rest=st.booleans(),
        before=st.lists(steps(), max_size=1),
    )
    def resolve(
        self, data: st.DataObject, kind: Kind, cents: int, rest: bool, before: list[Step]
    ) -> None:
        """Capture a hold or let it go, perhaps linked with something that may be refused."""
        if not self.model.holds:
            return
        hold_id = data.draw(st.sampled_from(sorted(self.model.holds)))
        amount = Decimal(0) if kind is Kind.RELEASE else Decimal(cents) / 100
        asked = NewOperation(
            f"r{self.next_id()}", self.model.holds[hold_id].purse, kind, amount, "USD", "",
            hold_id, rest and kind is Kind.CAPTURE_HOLD, is_linked=True,
        )  # fmt: skip
        self.apply([Step(asked), *before])

    @rule(
        ends=st.tuples(NAMES, NAMES).filter(lambda two: two[0] != two[1]),
        cents=st.integers(1, 900),
        subject=SUBJECTS,
        off=st.sampled_from((0, 0, 1)),
    )
    def chain(self, ends: tuple[str, str], cents: int, subject: str, off: int) -> None:
        """Credit, settle, transfer by version, and take back, of which the last may not be linked
        and the transfer may be refused.
        """
        amount, (giver, taker) = Decimal(cents) / 100, ends
        purse = self.model.purses.get(giver)
        new = [
            NewOperation(f"x{self.next_id()}", giver, kind, amount, "USD", subject, is_linked=True)
            for kind in (Kind.CREDIT, Kind.SETTLE, Kind.CREDIT, Kind.TRANSFER, Kind.REFUND)
        ]
        version = purse.version + 3 + off if purse else None
        new[3] = new[3]._replace(refers_to=taker, expected_version=version, is_linked=False)
        self.apply(list(map(Step, new)))

    @rule(names=st.lists(st.one_of(CREDIT_IDS, CREDIT_IDS, IDS, ODD_IDS), min_size=1, max_size=2))
    def reverse(self, names: list[str]) -> None:
        """Reverse a batch."""
        expected = [self.model.reverse(name) for name in names]
        assert self.told([Reversal(name) for name in names]) == expected

    @rule(batch=st.lists(steps(), min_size=1, max_size=3), name=CREDIT_IDS)
    def apply_and_reverse_at_once(self, batch: list[Step], name: str) -> None:
        """Requests of both sorts may share a batch."""
        batch = [Step(step.asked._replace(is_linked=False), step.ends) for step in batch]
        expected = [*self.in_model(batch), self.model.reverse(name)]
        assert self.told([*(step.asked for step in batch), Reversal(name)]) == expected

    @rule(name=st.sampled_from(("bob", "bob", "carol", "alice")), status=STATUSES)
    def change(self, name: str, status: WalletStatus) -> None:
        """Freeze, unfreeze or close."""
        expected = self.model.change(name, status.value)
        try:
            self.run(self.store.change_status(name, status, reason="a test", actor="machine"))
            told = ""
        except Refusal as refusal:
            told = refusal.reason
        assert told == expected

    @rule(seconds=st.integers(1, 8))
    def pass_time(self, seconds: int) -> None:
        """Let time go by."""
        self.model.now += seconds

    @rule()
    def expire(self) -> None:
        """Run the job twice, as two instances would."""
        self.model.expire()
        for _ in range(2):
            self.run(self.store.expire(limit=100))

    @invariant()
    def wallets_are_the_models(self) -> None:
        """Balances, status and version."""
        if not hasattr(self, "model"):
            return
        for wallet in self.run(self.store.wallets(list(LIMITS))):
            purse, standing = self.model.purses[wallet.wallet_id], wallet.standing
            assert [int(cents * 100) for cents in standing[:3]] == [
                purse.pending, purse.available, purse.held,
            ]  # fmt: skip
            assert (wallet.status.value, standing.version) == (purse.status, purse.version)

    @invariant()
    def holds_are_the_models(self) -> None:
        """Each cent of a hold is open, captured or released."""
        for name, aside in self.model.holds.items() if hasattr(self, "model") else ():
            hold = self.run(self.store.hold(name))
            assert hold.status.value == aside.status
            cents = [int(part * 100) for part in (hold.open, hold.captured, hold.released)]
            assert cents == [aside.open, aside.captured, aside.released]

    @invariant()
    def money_is_conserved(self) -> None:
        """All that wallets hold is what came less what left."""
        if not hasattr(self, "model"):
            return
        wallets = self.run(self.store.wallets(list(LIMITS)))
        assert sum(sum(w.standing[:3]) for w in wallets) * 100 == self.model.came - self.model.left

    def in_model(self, batch: Sequence[Step]) -> list[str]:
        """Ask the model, chain by chain, each kept whole or dropped."""
        told: list[str] = []
        chain: list[Step] = []
        for step in batch:
            chain.append(step)
            if step.asked.is_linked:
                continue
            before = deepcopy(self.model)
            answers = [self.model.apply(one.asked, one.ends) for one in chain]
            bad = next((i for i, a in enumerate(answers) if a not in ("", "REPLAYED")), None)
            if bad is not None and len(chain) > 1:
                self.model = before
                answers = [
                    answers[bad] if i == bad else "LINKED_REFUSED" for i in range(len(chain))
                ]
            told += answers
            chain = []
        return told

    def told(self, commands: Sequence[Command]) -> list[str]:
        """Ask the wallets."""
        return [answer(outcome) for outcome in self.run(self.store.do(commands))]


def answer(outcome: ReversalOutcome) -> str:
    """Name an outcome as the model does."""
    match outcome:
        case Applied(_, replayed):
            return "REPLAYED" if replayed else ""
        case Closed():
            return "CLOSED"
        case _:
            return outcome.reason
