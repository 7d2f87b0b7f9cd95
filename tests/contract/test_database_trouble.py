"""What PostgreSQL says of its own trouble is nobody's who asked: come again."""

import psycopg
import pytest

from chassis.database import Database, Transaction
from chassis.errors import Unavailable

_RAISE = "DO $$ BEGIN RAISE SQLSTATE '{}'; END $$"
# PostgreSQL, appendix A: disk_full, out_of_memory, too_many_connections, admin_shutdown, io_error.
_ITS_OWN = ("53100", "53200", "53300", "57P01", "58030")
_OURS = ("22003", "23514", "42501")  # out of range, a check, a right that is missing


@pytest.mark.parametrize("state", _ITS_OWN)
async def test_the_servers_trouble_is_unavailable(ledger_db: Database, state: str) -> None:
    """A full disk is told like a server that is away."""
    with pytest.raises(Unavailable):
        await ledger_db.run(lambda tx: _fail(tx, state))
    assert await ledger_db.read("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("state", _OURS)
async def test_other_errors_are_told_as_they_are(ledger_db: Database, state: str) -> None:
    """What is wrong with the statement is no reason to come again."""
    with pytest.raises(psycopg.Error) as raised:
        await ledger_db.run(lambda tx: _fail(tx, state))
    assert raised.value.sqlstate == state


async def _fail(tx: Transaction, state: str) -> None:
    await tx.execute(_RAISE.format(state))
