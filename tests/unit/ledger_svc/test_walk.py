"""Verification of long books: others have their turn, and little is held at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from ledger_svc.domain.account import AccountType
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import AccountAt, Checkpoint
from ledger_svc.domain.held_accounts import AccountNow, HeldAccounts
from ledger_svc.domain.seal import Seal, next_seal
from ledger_svc.domain.verification import Followed, OffenceKind, Verifier
from ledger_svc.ports import Archived, Snapshot, Stretch
from ledger_svc.use_cases.slices import SLICE, in_order, slices
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.use_cases.walk_books import CHUNK, Seals
from tests.unit.ledger_svc.builders import NOW, account


class Kept:
    """Books without transactions, in memory: they never wait, so that nobody else would either.

    Args:
        accounts: all of them.
        seals: all of them.
    """

    def __init__(self, accounts: Mapping[str, AccountNow], seals: Sequence[Seal] = ()) -> None:
        self._accounts, self._seals = accounts, seals
        self.pages = 0

    async def snapshot(self, open_before: object) -> Snapshot:
        """Tell the accounts."""
        return Snapshot([], HeldAccounts(self._accounts), {})

    async def heads(self) -> Sequence[Head]:
        """Tell of none."""
        return []

    async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
        """Tell of none."""
        return Stretch([], [])

    async def seals(self, *, after: int, limit: int) -> Sequence[Seal]:
        """Tell a page, and count it."""
        self.pages += 1
        return self._seals[after : after + limit]

    async def seals_before(self, number: int, *, limit: int) -> Sequence[Seal]:
        """Tell of none."""
        return []

    async def archived(self) -> Archived | None:
        """Tell that nothing is."""
        return None

    async def checkpoints(self, *, after: int, limit: int) -> Sequence[Checkpoint]:
        """Tell of none."""
        return []

    async def checkpoints_before(self, number: int, *, limit: int) -> Sequence[Checkpoint]:
        """Tell of none."""
        return []

    async def balances_at(self, checkpoint: Checkpoint) -> AsyncIterator[Sequence[AccountAt]]:
        """Tell of none."""
        for page in ():
            yield page


class Turns:
    """Counts how often somebody else has a turn."""

    def __init__(self) -> None:
        self.count = 0

    async def __aenter__(self) -> "Turns":
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _take(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1


def accounts(count: int) -> dict[str, AccountNow]:
    """Make accounts that nothing was ever written to."""
    empty = account("any", AccountType.LIABILITY)
    return {f"buyer:{n}": AccountNow(empty.type, empty.standing) for n in range(count)}


async def test_others_have_their_turn_while_accounts_are_verified() -> None:
    """A turn at least after every thousand."""
    count = 20 * SLICE
    async with Turns() as turns:
        told = [one async for one in verify_ledger(Kept(accounts(count)))]

    assert isinstance(told[-1], Summary)
    assert (told[-1].account_count, told[-1].offence_count) == (count, 0)
    assert turns.count >= count // SLICE - 1


async def test_others_have_their_turn_while_names_are_sorted() -> None:
    """And the names come in their order, each once."""
    names = [f"{number * 7919 % 20_011:05}" for number in range(20_000)]
    async with Turns() as turns:
        found = [name async for piece in in_order(names) for name in piece]

    assert found == sorted(names)
    assert turns.count >= len(names) // SLICE


async def test_slices_are_of_their_size_and_whole() -> None:
    """The last one may be smaller; of nothing there are none."""
    found = [piece async for piece in slices(range(25), 10)]

    assert [len(piece) for piece in found] == [10, 10, 5]
    assert [item for piece in found for item in piece] == list(range(25))
    assert [piece async for piece in slices([])] == []


def sealed(numbers: Sequence[Mapping[int, int]]) -> list[Seal]:
    """Seal streams that ended at these numbers, one seal after the other."""
    made: list[Seal] = []
    for place, heads in enumerate(numbers):
        ends = [Head(stream, number, hash_of(number)) for stream, number in heads.items()]
        seal = next_seal(made[-1] if made else None, ends, NOW + timedelta(minutes=place))
        assert seal is not None
        made.append(seal)
    return made


def hash_of(number: int) -> bytes:
    """Make up a hash."""
    return number.to_bytes(32, "big")


async def test_a_stream_that_stopped_has_no_more_seals_read() -> None:
    """What its last transaction needs is one page, however many seals came later."""
    books = Kept({}, sealed([{1: 5, 2: n} for n in range(1, 10 * CHUNK)]))
    seals = Seals(books, Verifier(HeldAccounts()))

    assert [offence async for offence in seals.cover({1: 5})] == []
    assert books.pages == 1
    assert len(seals.verifier.sealed) <= CHUNK + 1
    assert [offence async for offence in seals.cover({2: CHUNK})] == []
    assert books.pages == 1
    assert [offence async for offence in seals.cover({1: 6})] == []
    assert seals.count == 10 * CHUNK - 1


async def test_seals_that_keep_different_hashes_of_one_transaction_are_found() -> None:
    """Whether it was passed already or is still to come."""
    told = sealed([{1: 5, 2: n} for n in range(1, 4)])
    ends = [Head(1, 5, hash_of(6)), Head(2, 4, hash_of(4))]
    other = next_seal(told[-1], ends, NOW + timedelta(minutes=9))
    assert other is not None
    for seen in (Followed(), Followed(5, hash_of(5))):
        seals = Seals(Kept({}, [*told, other]), Verifier(HeldAccounts(), streams={1: seen}))

        (offence,) = [one async for one in seals.finish()]

        assert (offence.kind, offence.subject) == (OffenceKind.WRONG_SEAL, "seal 4")


async def test_a_hash_that_all_seals_keep_otherwise_is_told_once() -> None:
    """However many keep it: the stream has stopped, and others have not."""
    told = sealed([{1: 5, 2: n} for n in range(1, 4 * CHUNK)])
    seals = Seals(Kept({}, told), Verifier(HeldAccounts(), streams={1: Followed(5, hash_of(6))}))

    (offence,) = [one async for one in seals.finish()]

    assert offence.subject == "seal 1"
