"""Verification of long books: others have their turn, and little is held at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from paymesh.ledger.v1 import ledger_service_pb2 as wire
from paymesh.ledger.v1 import report_pb2

from ledger_svc.domain import chain
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import AccountAt, Checkpoint
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.held_accounts import AccountNow, HeldAccounts
from ledger_svc.domain.seal import Seal, next_seal
from ledger_svc.domain.verification import Followed, OffenceKind, Verifier
from ledger_svc.ports import Archived, Snapshot, Stretch
from ledger_svc.servicer import LedgerServicer
from ledger_svc.use_cases.verify_ledger import Summary, verify_ledger
from ledger_svc.use_cases.walk_books import AT_ONCE, CHUNK, SEALS, Progress, Seals
from paging.slices import SLICE, TURNS
from tests.unit.ledger_svc.builders import NOW, account, books, posting
from tests.unit.paging.turns import Turns


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

    async def stray_balances(self) -> Sequence[int]:
        """Tell of none."""
        return []


class Written(Kept):
    """Books with transactions of two accounts, in memory.

    Args:
        count: how many transactions.
    """

    def __init__(self, count: int) -> None:
        held = books()
        decide(held, [posting(f"a:{number}", "1.00") for number in range(count)])
        standings = {account.account_id: standing for account, standing in held.changed}
        known = held.accounts.values()
        super().__init__({a.account_id: AccountNow(a.type, standings[a.account_id]) for a in known})
        self._head, self._written = held.head, held.written
        self.looked_at = 0
        self.ahead: list[int] = []

    async def snapshot(self, open_before: object) -> Snapshot:
        """Tell the accounts and the one stream's head."""
        return Snapshot([self._head], HeldAccounts(self._accounts), {})

    async def heads(self) -> Sequence[Head]:
        """Tell the one."""
        return [self._head]

    async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
        """Tell a stretch, and note how far it is ahead of what was looked at."""
        found = [one for one in self._written if after < one.transaction_id < before][:limit]
        if found:
            self.ahead.append(chain.place(found[-1].transaction_id)[1] - self.looked_at)
        return Stretch(found, [one.transaction_id for one in found])


def accounts(count: int) -> dict[str, AccountNow]:
    """Make accounts that nothing was ever written to."""
    empty = account("any", AccountType.LIABILITY)
    return {f"buyer:{n}": AccountNow(empty.type, empty.standing) for n in range(count)}


async def test_others_have_their_turn_while_accounts_are_verified() -> None:
    """Several after every 250."""
    count = 20 * SLICE
    async with Turns() as turns:
        told = [one async for one in verify_ledger(Kept(accounts(count)))]

    assert isinstance(told[-1], Summary)
    assert (told[-1].account_count, told[-1].offence_count) == (count, 0)
    assert turns.count >= TURNS * (count // SLICE - 1)


async def test_others_have_their_turn_while_transactions_are_verified() -> None:
    """Several after every twenty; and no more is read ahead than one stretch."""
    ledger = Written(5 * CHUNK + 7)
    async with Turns() as turns:
        async for told in verify_ledger(ledger):
            if isinstance(told, Progress):
                ledger.looked_at = told.done

    assert isinstance(told, Summary)
    assert (told.transaction_count, told.offence_count) == (5 * CHUNK + 7, 0)
    assert turns.count >= TURNS * (5 * CHUNK // AT_ONCE)
    assert max(ledger.ahead) <= 2 * CHUNK


async def test_a_verification_that_nobody_follows_reads_no_further() -> None:
    """What was being read ahead is given up."""
    ledger = Written(5 * CHUNK)
    verification = verify_ledger(ledger)
    async for told in verification:
        if isinstance(told, Progress) and told.done:
            break
    await verification.aclose()  # type: ignore[attr-defined]
    for _ in range(100):
        await asyncio.sleep(0)

    assert len(ledger.ahead) <= 2
    assert len(asyncio.all_tasks()) == 1


async def test_proofs_wait_for_each_other() -> None:
    """Two hold all accounts in memory, and no third; it has its turn when one has ended."""
    asked, held, go_on = 0, 0, asyncio.Event()

    class Slow(Kept):
        async def snapshot(self, open_before: object) -> Snapshot:
            nonlocal held
            held += 1
            await go_on.wait()
            return await super().snapshot(open_before)

    servicer = LedgerServicer(Any, Any, Slow({}), proofs_at_once=2)  # type: ignore[arg-type]

    async def prove() -> report_pb2.VerificationSummary:
        nonlocal asked
        asked += 1
        told = [one async for one in servicer.VerifyLedger(wire.VerifyLedgerRequest(), None)]
        return told[-1].summary

    proofs = [asyncio.create_task(prove()) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert (asked, held) == (3, 2)
    go_on.set()

    assert [summary.sound for summary in await asyncio.gather(*proofs)] == [True] * 3
    assert held == 3


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
    books = Kept({}, sealed([{1: 5, 2: n} for n in range(1, 10 * SEALS)]))
    seals = Seals(books, Verifier(HeldAccounts()))

    assert [offence async for offence in seals.cover({1: 5})] == []
    assert books.pages == 1
    assert len(seals.verifier.sealed) <= SEALS + 1
    assert [offence async for offence in seals.cover({2: SEALS})] == []
    assert books.pages == 1
    assert [offence async for offence in seals.cover({1: 6})] == []
    assert seals.count == 10 * SEALS - 1


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
