"""Payouts through a bank over real gRPC and PostgreSQL: an order, a file, a statement."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psycopg
import pytest
from paymesh.psp.v1 import payout_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from chassis.clock import utc_now
from chassis.database import Database
from chassis.money import Money
from chassis.settings import Environment, ServerSettings, SettingsError
from psp_gateway.bank_outbox import Outbox, execution_date
from psp_gateway.bank_store import OrderStore
from psp_gateway.providers.bank import schemas
from psp_gateway.providers.bank.provider import BankPayouts
from psp_gateway.settings import BankSettings
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.bank_files import (
    DEBTOR,
    OURS,
    THEIRS,
    account,
    detail,
    document,
    entry,
    transfer,
)
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, served

NOWHERE = "http://127.0.0.1:9"  # no PSP is needed
PAIN = "pain.001.001.09"


def bank_payout(
    attempt_id: str = "att_1", payout_id: str = "pout_1", *, iban: str = THEIRS, bic: str = ""
) -> service.PayoutCommand:
    """Make a payout command, to a bank account."""
    to = noun.PayoutDestination.BankAccount(
        iban=iban, bic=bic or "WESTGB2L", holder_name="Jo Doe-Canary"
    )
    return service.PayoutCommand(
        attempt_id=attempt_id,
        payout_id=payout_id,
        client_id="demo",
        amount="10.00",
        currency="EUR",
        destination=noun.PayoutDestination(bank_account=to),
        reference_text="Sales of May",
    )


@asynccontextmanager
async def with_bank(database: ServiceDatabase, folder: Path) -> AsyncIterator[Gateway]:
    """Serve a gateway that pays through a bank."""
    settings = {
        "BANK_DEBTOR_NAME": DEBTOR.name,
        "BANK_DEBTOR_IBAN": OURS,
        "BANK_DEBTOR_BIC": DEBTOR.bic,
        "BANK_OUTBOX": str(folder),
        "BANK_POLL_S": "0.05",
    }
    async with served(database, NOWHERE, **settings) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bank's transport looks."""
    return tmp_path / "outbox"


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, folder: Path) -> AsyncIterator[Gateway]:
    """A gateway that pays through a bank."""
    async with with_bank(psp_database, folder) as started:
        yield started


def within(folder: Path, pattern: str = "*.xml") -> list[Path]:
    """List the files of a folder."""
    return sorted(folder.glob(pattern))


async def files(folder: Path, count: int) -> list[Path]:
    """Wait for so many orders in files; answer the files."""
    async with asyncio.timeout(DEADLINE_S):
        while len(ordered(found := within(folder))) < count:
            await asyncio.sleep(0.02)
    return found


def ordered(paths: list[Path]) -> list[str]:
    """List the EndToEndIds of files, each valid by the schema."""
    names = {"p": schemas.NAMESPACE + PAIN}
    return [
        str(found.text)
        for path in paths
        for found in schemas.read(path.read_bytes(), PAIN).iterfind(".//p:EndToEndId", names)
    ]


async def say(gateway: Gateway, *entries: str, **of: str) -> service.ImportBankStatementResponse:
    """Import a statement of these entries."""
    request = service.ImportBankStatementRequest(content=document(account(*entries, **of)))
    return await gateway.stub.ImportBankStatement(request, timeout=DEADLINE_S)


def booked(attempt_id: str = "att_1", side: str = "DBIT", amount: str = "10.00") -> str:
    """Write an entry about an attempt's transfer."""
    return entry(amount, side, detail(transfer(attempt_id).end_to_end_id, amount, side))


async def test_an_order_is_in_a_file_once_and_then_forgotten(
    gateway: Gateway, folder: Path, psp_database: ServiceDatabase
) -> None:
    """SUBMITTED at once; the file names the payee, and afterwards no row of the database does."""
    first = (await gateway.payouts(bank_payout()))[0].payout
    (path,) = await files(folder, 1)
    again = (await gateway.payouts(bank_payout()))[0].payout
    await gateway.payouts(bank_payout("att_2", "pout_2"))
    paths = await files(folder, 2)

    assert (first.state, first.psp) == (noun.Payout.SUBMITTED, "bank")
    assert again.state == noun.Payout.SUBMITTED
    assert path in paths
    assert sorted(ordered(paths)) == sorted(transfer(f"att_{n}").end_to_end_id for n in (1, 2))
    assert b"Jo Doe-Canary" in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert within(folder, "*.part") == []
    await _nowhere(psp_database, "Jo Doe-Canary", THEIRS)


async def _nowhere(database: ServiceDatabase, *words: str) -> None:
    """See that no row of any table has a word."""
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        for table in ("payouts", "payout_events", "bank_orders", "bank_files"):
            query = f"SELECT count(*), coalesce(string_agg(t::text, ''), '') FROM {table} t"
            async with connection.cursor() as cursor:
                await cursor.execute(query.encode())
                found = await cursor.fetchone()
            assert found is not None
            assert found[0] > 0
            for word in words:
                assert word not in found[1]
                assert word.encode().hex() not in found[1]


async def test_twenty_orders_at_once_are_all_in_files_once(gateway: Gateway, folder: Path) -> None:
    """However they fall into files."""
    items = [bank_payout(f"att_{n}", f"pout_{n}") for n in range(20)]
    await asyncio.gather(*(gateway.payouts(*items) for _ in range(2)))
    paths = await files(folder, 20)

    wanted = sorted(transfer(f"att_{n}").end_to_end_id for n in range(20))
    assert sorted(ordered(paths)) == wanted


async def test_statements_tell_paid_then_returned(gateway: Gateway) -> None:
    """A debit is PAID, a credit days later RETURNED; each file taken in again changes nothing."""
    await gateway.payouts(bank_payout())

    paid = await say(gateway, booked())
    same = await say(gateway, booked())
    back = await say(gateway, booked(side="CRDT"), statement_id="S-2")
    old = await say(gateway, booked())

    assert [one.state for one in paid.payouts] == [noun.Payout.PAID]
    assert paid.payouts[0].psp_reference == "B-1"
    assert same.payouts == paid.payouts
    assert [one.state for one in back.payouts] == [noun.Payout.RETURNED]
    assert (back.payouts[0].reason, back.payouts[0].psp_code) == ("PSP_CANCELLED", "166")
    assert old.payouts == back.payouts
    assert [list(one.notes) for one in (paid, same, back, old)] == [[]] * 4


@pytest.mark.parametrize(
    "entries",
    [[booked(amount="9.99")], [booked(), booked()]],
    ids=["another amount", "paid twice"],
)
async def test_what_must_not_be_is_for_a_person(gateway: Gateway, entries: list[str]) -> None:
    """The payout stays as it was, and the answer says so."""
    await gateway.payouts(bank_payout())

    told = await say(gateway, *entries)

    assert [one.state for one in told.payouts] == [noun.Payout.SUBMITTED]
    assert list(told.notes) == ["att_1: the statement says what cannot be (AMOUNT_MISMATCH)"]


async def test_a_second_debit_in_another_statement_is_for_a_person(gateway: Gateway) -> None:
    """The bank's own id of it is another one."""
    await gateway.payouts(bank_payout())
    await say(gateway, booked())

    told = await say(gateway, booked().replace("B-1", "B-2"), statement_id="S-2")

    assert list(told.notes) == ["att_1: paid as B-1, and again as B-2"]


async def test_what_is_no_statement_of_ours_is_refused(gateway: Gateway) -> None:
    """No camt, or of another account: nothing of it is believed."""
    for content in (b"<a/>", document(account(booked(), number=THEIRS))):
        request = service.ImportBankStatementRequest(content=content)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await gateway.stub.ImportBankStatement(request, timeout=DEADLINE_S)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (bank_payout(iban="GB83WEST12345698765432"), "iban"),
        (bank_payout(bic="WEST1B2L"), "bic"),
    ],
    ids=["iban", "bic"],
)
async def test_what_no_bank_takes_is_refused_at_once(
    gateway: Gateway, command: service.PayoutCommand, field: str
) -> None:
    """It would keep a whole file from being written; the value is not repeated."""
    answer = (await gateway.payouts(command))[0]

    assert answer.refusal.reason == "INVALID_DESTINATION"
    assert answer.refusal.metadata["field"] == field
    assert command.destination.bank_account.iban not in answer.refusal.message


async def test_without_a_bank_nothing_is_ordered(psp_database: ServiceDatabase) -> None:
    """The refusal says that none is configured."""
    async with served(psp_database, NOWHERE) as gateway:
        answer = (await gateway.payouts(bank_payout()))[0]

    assert answer.refusal.reason == "NO_ROUTE"


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
