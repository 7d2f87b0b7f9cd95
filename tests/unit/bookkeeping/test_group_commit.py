"""Group commit: who shares a transaction with whom, and who pays for whose fault."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from bookkeeping.group_commit import GroupCommit
from chassis.errors import Unavailable


class Transactions:
    """Runs items by negating them, and remembers what ran together."""

    def __init__(self, *, poison: int | None = None, is_down: bool = False) -> None:
        self.batches: list[list[int]] = []
        self._poison = poison
        self._is_down = is_down

    async def run(self, items: Sequence[int]) -> list[int]:
        """Run a batch."""
        await asyncio.sleep(0)
        self.batches.append(list(items))
        if self._is_down:
            raise Unavailable("The database did not answer.")
        if self._poison in items:
            raise psycopg.errors.CheckViolation("poison")
        return [-item for item in items]


async def test_small_requests_share_a_transaction() -> None:
    """What arrives at once runs at once; each request gets its own answers, in order."""
    database = Transactions()
    commit = GroupCommit(database.run, in_flight=1)

    answers = await asyncio.gather(*(commit.submit([n, n + 100]) for n in range(1, 51)))

    assert answers == [[-n, -n - 100] for n in range(1, 51)]
    assert len(database.batches) == 1


async def test_a_large_request_has_its_own_transaction() -> None:
    """More than 250 items run alone, and whole."""
    database = Transactions()
    commit = GroupCommit(database.run, in_flight=1)

    await asyncio.gather(
        commit.submit(range(251)), commit.submit([100]), commit.submit(range(1000))
    )

    assert sorted(map(len, database.batches)) == [1, 251, 1000]


async def test_middling_requests_share_a_transaction_among_themselves() -> None:
    """From 9 to 250 items, up to 8 requests run together; each gets its own answers, in order."""
    database = Transactions()
    commit = GroupCommit(database.run, in_flight=1)

    answers = await asyncio.gather(*(commit.submit(range(n, n + 100)) for n in range(10)))

    assert answers == [[-item for item in range(n, n + 100)] for n in range(10)]
    assert [len(batch) for batch in database.batches] == [800, 200]


async def test_a_request_at_fault_fails_alone() -> None:
    """A batch that fails in SQL is split until the request at fault is alone."""
    commit = GroupCommit(Transactions(poison=13).run, in_flight=1)

    answers = await asyncio.gather(*(commit.submit([n]) for n in range(30)), return_exceptions=True)

    assert isinstance(answers.pop(13), psycopg.errors.CheckViolation)
    assert answers == [[-n] for n in range(30) if n != 13]


async def test_a_database_that_is_down_is_not_asked_again() -> None:
    """Unavailable is nobody's fault: it is told to all, and splits nothing."""
    database = Transactions(is_down=True)
    commit = GroupCommit(database.run, in_flight=1)

    answers = await asyncio.gather(*(commit.submit([n]) for n in range(30)), return_exceptions=True)

    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len(database.batches) == 1


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_no_more_transactions_run_at_once_than_allowed(in_flight: int) -> None:
    """The rest wait here, not inside the database."""
    running = most = 0

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return items

    commit = GroupCommit(run, in_flight=in_flight)

    await asyncio.gather(*(commit.submit(range(10)) for _ in range(20)))

    assert most == in_flight
