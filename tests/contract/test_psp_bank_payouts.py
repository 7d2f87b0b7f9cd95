"""Payouts through a bank over real gRPC and PostgreSQL: an order, a file, a statement."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psycopg
import pytest
from paymesh.psp.v1 import payout_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.contract.bank_payouts import (
    NOWHERE,
    bank_payout,
    booked,
    files,
    ordered,
    say,
    with_bank,
    within,
)
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.bank_files import THEIRS, account, document, transfer
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bank's transport looks."""
    return tmp_path / "outbox"


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, folder: Path) -> AsyncIterator[Gateway]:
    """A gateway that pays through a bank."""
    async with with_bank(psp_database, folder) as started:
        yield started


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
