"""The folder that orders leave by, on a real PostgreSQL: whoever dies, each is handed over once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.money import Money
from chassis.settings import Environment, ServerSettings, SettingsError
from psp_gateway.bank_outbox import Outbox, execution_date
from psp_gateway.bank_store import OrderStore
from psp_gateway.providers.bank.provider import BankPayouts
from psp_gateway.settings import BankSettings
from tests.contract.bank_payouts import ordered, within
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.bank_files import DEBTOR, OURS, transfer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bank's transport looks."""
    return tmp_path / "outbox"


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("point", ["collected", "written", "handed over"])
async def test_a_crash_loses_no_file_and_makes_no_second(
    psp_database: ServiceDatabase, folder: Path, point: str
) -> None:
    """Killed when the file is in the database, when it is in the folder under its interim name, or
    when it is stored as handed over: the next process ends what is left, and the transport has
    seen each order once.
    """
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=2)
    await database.open()
    await _put_payout(psp_database)
    store = OrderStore(database)
    await store.order(transfer("att_1"), utc_now())
    dying = Outbox(BankPayouts(DEBTOR), Dying(store, point), folder, utc_now)
    with pytest.raises(Killed):
        await dying.work()
    assert within(folder) == []

    outbox = Outbox(BankPayouts(DEBTOR), store, folder, utc_now)
    for _ in range(3):
        await outbox.work()
    await database.close()

    assert ordered(within(folder)) == [transfer("att_1").end_to_end_id]
    assert within(folder, "*.part") == []


async def test_an_order_that_is_not_fit_any_more_keeps_no_other_back(
    psp_database: ServiceDatabase, folder: Path
) -> None:
    """It waits for a person; orders that together are too much for one file go in several."""
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=2)
    await database.open()
    store = OrderStore(database)
    much = Money.parse("900000000000000.00", "USD")
    ids = [f"att_{number}" for number in range(13)]
    for attempt_id in ids:
        await _put_payout(psp_database, attempt_id)
        order = replace(transfer(attempt_id), amount=much, creditor_bic="COBADEFFXXX")
        broken = {"creditor_iban": "DE00"} if attempt_id == "att_0" else {}
        await store.order(replace(order, **broken), utc_now())

    outbox = Outbox(BankPayouts(DEBTOR), store, folder, utc_now)
    while await outbox.work():
        pass
    waiting = await database.read("SELECT attempt_id FROM bank_orders WHERE message_id IS NULL")
    await database.close()

    fit = {transfer(attempt_id).end_to_end_id for attempt_id in ids[1:]}
    assert sorted(ordered(within(folder))) == sorted(fit)
    assert len(within(folder)) == 2
    assert [row["attempt_id"] for row in waiting] == ["att_0"]


async def test_a_copy_that_another_instance_overtook_never_gets_out(
    psp_database: ServiceDatabase, folder: Path, tmp_path: Path
) -> None:
    """Written here, but not stored as handed over; then handed over by an instance with a folder
    of its own. The bank is sent the orders once.
    """
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=2)
    await database.open()
    await _put_payout(psp_database)
    store = OrderStore(database)
    await store.order(transfer("att_1"), utc_now())
    with pytest.raises(Killed):
        await Outbox(BankPayouts(DEBTOR), Dying(store, "written"), folder, utc_now).work()
    assert len(within(folder, "*.part")) == 1
    elsewhere = tmp_path / "elsewhere"

    for place in (elsewhere, folder):
        await Outbox(BankPayouts(DEBTOR), store, place, utc_now).work()
    await database.close()

    assert ordered(within(elsewhere)) == [transfer("att_1").end_to_end_id]
    assert within(folder, "*.xml*") == []


async def test_two_do_not_work_in_one_folder_at_once(
    psp_database: ServiceDatabase, folder: Path
) -> None:
    """While a file is being handed over, another instance with the same folder touches nothing, and
    an order that came meanwhile waits; whoever dies lets go.
    """
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=2)
    await database.open()
    await _put_payout(psp_database)
    store = OrderStore(database)
    await store.order(transfer("att_1"), utc_now())
    with folder_taken(folder):
        second = await Outbox(BankPayouts(DEBTOR), store, folder, utc_now).work()
        meanwhile = within(folder, "*.xml*")
    for _ in range(3):
        await Outbox(BankPayouts(DEBTOR), store, folder, utc_now).work()
    await database.close()

    assert (second, meanwhile) == (False, [])
    assert ordered(within(folder)) == [transfer("att_1").end_to_end_id]


@contextmanager
def folder_taken(folder: Path) -> Iterator[None]:
    """Be another process that works in a folder, and die."""
    taken = (
        "import fcntl, pathlib, sys; f = pathlib.Path(sys.argv[1]); f.mkdir(parents=True);"
        "d = open(f / '.lock', 'w'); fcntl.flock(d, fcntl.LOCK_EX); print('taken', flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", taken, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"taken\n"
        yield
        other.kill()


@pytest.mark.parametrize(("outbox", "is_good"), [("", False), ("orders", False), ("/orders", True)])
def test_in_production_the_folder_is_named(outbox: str, *, is_good: bool) -> None:
    """Wherever the process happens to be is no disk that outlives it; without a bank none is."""
    told = {"BANK_OUTBOX": outbox} if outbox else {}
    server = ServerSettings.read(
        Environment({"ENVIRONMENT": "production", "LISTEN": "unix:/x"}), "psp_gateway"
    )
    without = BankSettings.read(Environment(told), server)
    with nullcontext() if is_good else pytest.raises(SettingsError, match="BANK_OUTBOX"):
        BankSettings.read(Environment({**told, "BANK_DEBTOR_IBAN": OURS}), server)

    assert without.debtor_iban.reveal() == ""


async def _put_payout(database: ServiceDatabase, attempt_id: str = "att_1") -> None:
    """Put a payout in the book, to be ordered."""
    async with await psycopg.AsyncConnection.connect(database.app_url) as connection:
        await connection.execute(
            """
            INSERT INTO payouts (attempt_id, payout_id, client_id, psp, amount, currency,
                fingerprint, state, delivery, psp_reference, reason, psp_code, message,
                request_count, version, created_at, updated_at, key_since)
            VALUES (%s, 'pout_' || %s, 'demo', 'bank', 10, 'EUR', 'f', 'SUBMITTED', 'ANSWERED',
                '', '', '', '', 1, 1, now(), now(), now())
            """,
            [attempt_id, attempt_id],
        )


class Dying:
    """A book of orders whose process is killed at a point."""

    def __init__(self, inner: OrderStore, point: str) -> None:
        self._inner = inner
        self._point = point
        self.order = inner.order
        self.is_ordered = inner.is_ordered
        self.ordered_as = inner.ordered_as
        self.collect = inner.collect

    async def hand_over(self, put: Callable[[str, bytes], None], copy: str, now: datetime) -> str:
        """Die before, within, or never."""
        if self._point == "collected":
            raise Killed

        def put_and_die(message_id: str, content: bytes) -> None:
            put(message_id, content)
            if self._point == "written":
                raise Killed

        return await self._inner.hand_over(put_and_die, copy, now)

    async def handed_over(self, message_ids: list[str]) -> dict[str, str]:
        """Die when it is stored."""
        raise Killed


def test_a_file_is_to_be_executed_on_the_next_day() -> None:
    """By UTC, whatever the time of day."""
    late = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert execution_date(late) == (late + timedelta(days=1)).date()
