"""Holds, transfers and chains over real gRPC and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.database import Database
from tests.conftest import opened
from tests.contract.test_wallet_service import apply, balances, facts, fields, listed
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import (
    NOW,
    OTHER,
    SELLER,
    WalletStub,
    new_wallet,
    operation,
    served,
    wire_operation,
    wire_wallet,
)
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallets import Applied
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

SETTLE, HOLD, CAPTURE = noun.Operation.SETTLE, noun.Operation.HOLD, noun.Operation.CAPTURE_HOLD
RELEASE, TRANSFER, DEBIT = noun.Operation.RELEASE, noun.Operation.TRANSFER, noun.Operation.DEBIT


@pytest.fixture
async def wallets(wallet_db: Database) -> AsyncIterator[WalletStub]:
    """Serve two wallets, of which the seller's has 100.00 to be spent."""
    async with served(wallet_db) as stub:
        asked = [wire_wallet(SELLER), wire_wallet(OTHER, owner="seller_789")]
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=asked))
        await apply(
            stub,
            wire_operation("c:0", "100.00", subject_id="funds"),
            wire_operation("s:0", "100.00", kind=SETTLE, subject_id="funds"),
        )
        yield stub


async def hold_of(wallets: WalletStub, hold_id: str) -> noun.Hold:
    """Read a hold."""
    return (await wallets.GetHold(service.GetHoldRequest(hold_id=hold_id))).hold


async def test_a_hold_is_made_captured_and_let_go(wallets: WalletStub, wallet_db: Database) -> None:
    """Each operation tells the hold and the balances it left; the hold tells what became of it."""
    ends = Timestamp(seconds=4_000_000_000)
    made, captured, released = await apply(
        wallets,
        wire_operation("h:1", "30.00", kind=HOLD, expires_at=ends),
        wire_operation("k:1", "10.00", kind=CAPTURE, hold_id="h:1"),
        wire_operation("l:1", "", kind=RELEASE, hold_id="h:1"),
    )

    hold = await hold_of(wallets, "h:1")

    assert [r.operation.hold_id for r in (made, captured, released)] == ["h:1"] * 3
    assert [r.operation.held_after for r in (made, captured, released)] == [
        "30.00", "20.00", "0.00",
    ]  # fmt: skip
    assert (released.operation.amount, released.operation.wallet_version) == ("20.00", 6)
    assert hold.status == noun.Hold.RELEASED
    assert (hold.amount, hold.open_amount) == ("30.00", "0.00")
    assert (hold.captured_amount, hold.released_amount) == ("10.00", "20.00")
    assert hold.expires_at == ends
    assert await balances(wallets) == ("0.00", "90.00", "0.00")
    assert await faults(wallet_db) == {}


async def test_what_is_wrong_with_a_hold_is_told(wallets: WalletStub) -> None:
    """One refusal for each thing that can be wrong."""
    results = await apply(
        wallets,
        wire_operation("h:1", "30.00", kind=HOLD),
        wire_operation("h:2", "70.01", kind=HOLD),
        wire_operation("k:1", "30.01", kind=CAPTURE, hold_id="h:1"),
        wire_operation("k:2", "1.00", kind=CAPTURE, hold_id="none"),
        wire_operation("k:3", "1.00", kind=CAPTURE, hold_id="h:1", wallet_id=OTHER),
        wire_operation("k:4", "30.00", kind=CAPTURE, hold_id="h:1"),
        wire_operation("l:1", "", kind=RELEASE, hold_id="h:1"),
        wire_operation("h:3", "1.00", kind=HOLD, expires_at=Timestamp(seconds=1)),
    )

    assert [r.refusal.reason for r in results] == [
        "", "INSUFFICIENT_FUNDS", "HOLD_EXCEEDED", "HOLD_NOT_FOUND", "HOLD_NOT_FOUND", "",
        "HOLD_RESOLVED", "HOLD_EXPIRED",
    ]  # fmt: skip
    assert dict(results[6].refusal.metadata) == {"holdId": "h:1", "status": "CAPTURED"}
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await hold_of(wallets, "none")
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert facts(error.value).reason == "HOLD_NOT_FOUND"


async def test_a_transfer_is_two_operations(wallets: WalletStub, wallet_db: Database) -> None:
    """Each names the other wallet; asked for again it answers the same."""
    asked = wire_operation("t:1", "40.00", kind=TRANSFER, to_wallet_id=OTHER)
    (first,) = await apply(wallets, asked)
    (again,) = await apply(wallets, asked)

    page = await wallets.ListOperations(service.ListOperationsRequest(wallet_id=OTHER))

    (arrival,) = page.operations
    assert again.replayed
    assert again.operation == first.operation
    assert (first.operation.other_wallet_id, arrival.other_wallet_id) == (OTHER, SELLER)
    assert (arrival.operation_id, arrival.kind) == ("t:1:in", noun.Operation.TRANSFER_IN)
    assert await balances(wallets) == ("0.00", "60.00", "0.00")
    assert await balances(wallets, OTHER) == ("0.00", "40.00", "0.00")
    assert await faults(wallet_db) == {}


async def test_linked_operations_stand_or_fall_together(
    wallets: WalletStub, wallet_db: Database
) -> None:
    """What cannot even be read fells its chain too; what is not linked stands."""
    results = await apply(
        wallets,
        wire_operation("a:1", "1.00", linked=True),
        wire_operation("a:2", "1.001"),
        wire_operation("b:1", "1.00", linked=True),
        wire_operation("b:2", "500.00", kind=DEBIT, linked=True),
        wire_operation("b:3", "1.00"),
        wire_operation("d:1", "1.00", linked=True),
        wire_operation("d:2", "2.00"),
        wire_operation("e:1", "4.00"),
    )

    assert [r.refusal.reason for r in results] == [
        "LINKED_REFUSED", "INVALID_AMOUNT", "LINKED_REFUSED", "INSUFFICIENT_FUNDS",
        "LINKED_REFUSED", "", "", "",
    ]  # fmt: skip
    assert [r.refusal.metadata["operationId"] for r in (results[0], results[4])] == ["a:2", "b:2"]
    assert await balances(wallets) == ("7.00", "100.00", "0.00")
    assert await faults(wallet_db) == {}


async def test_a_version_that_was_overtaken_is_refused(wallets: WalletStub) -> None:
    """Of two who decided by the same version one is refused, and told the version that is."""
    wallet = (await wallets.GetWallet(service.GetWalletRequest(wallet_id=SELLER))).wallet

    first, second = await apply(
        wallets,
        wire_operation("d:1", "1.00", kind=DEBIT, expected_version=wallet.version),
        wire_operation("d:2", "1.00", kind=DEBIT, expected_version=wallet.version),
    )
    (again,) = await apply(
        wallets, wire_operation("d:1", "1.00", kind=DEBIT, expected_version=wallet.version)
    )

    assert first.operation.wallet_version == wallet.version + 1 == 4
    assert second.refusal.reason == "VERSION_CONFLICT"
    assert dict(second.refusal.metadata) == {"walletId": SELLER, "expected": "3", "actual": "4"}
    assert again.replayed


@pytest.mark.parametrize("page_size", [1, 2, 100])
async def test_holds_are_listed_the_newest_first(wallets: WalletStub, page_size: int) -> None:
    """All, or only those that are open; each once, whatever the page."""
    for number in range(5):
        await apply(wallets, wire_operation(f"h:{number}", "1.00", kind=HOLD))
    await apply(wallets, wire_operation("l:1", "", kind=RELEASE, hold_id="h:1"))

    async def walk(*, only_open: bool) -> list[str]:
        found: list[str] = []
        token = ""
        while len(found) < 100:
            page = await wallets.ListHolds(
                service.ListHoldsRequest(
                    wallet_id=SELLER, only_open=only_open, page_size=page_size, page_token=token
                )
            )
            found += [hold.hold_id for hold in page.holds]
            token = page.next_page_token
            if not token:
                break
        return found

    assert await walk(only_open=False) == ["h:4", "h:3", "h:2", "h:1", "h:0"]
    assert await walk(only_open=True) == ["h:4", "h:3", "h:2", "h:0"]


async def test_operations_are_listed_by_kind_and_time(wallets: WalletStub) -> None:
    """Filters go together; a token is bound to them."""
    await apply(wallets, *[wire_operation(f"h:{n}", "1.00", kind=HOLD) for n in range(3)])
    await apply(wallets, wire_operation("d:1", "1.00", kind=DEBIT))
    soon = Timestamp()
    soon.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    held = ["h:2", "h:1", "h:0"]

    assert await listed(wallets, 2, wallet_id=SELLER, kind=HOLD) == held
    assert set(await listed(wallets, 2, kind=HOLD)) == set(held)
    assert await listed(wallets, 2, wallet_id=SELLER, kind=HOLD, created_to=soon) == held
    assert await listed(wallets, 2, wallet_id=SELLER, created_from=soon) == []
    page = await wallets.ListOperations(
        service.ListOperationsRequest(wallet_id=SELLER, kind=HOLD, page_size=1)
    )
    other = service.ListOperationsRequest(
        wallet_id=SELLER, kind=DEBIT, page_token=page.next_page_token
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wallets.ListOperations(other)
    assert fields(error.value) == ["page_token"]


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_many_instances_expire_each_hold_once(
    wallet_db: Database, wallet_database: ServiceDatabase, isolation: str
) -> None:
    """Only those that are due and open; captures that race them take or lose the whole hold."""
    now = NOW
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {wallet_database.name}"
            f" SET default_transaction_isolation = '{isolation}'"
        )
    async with opened(wallet_database) as one, opened(wallet_database) as other:
        stores = [WalletStore(database, clock=lambda: now) for database in (one, other)]
        await stores[0].open_wallets([new_wallet(SELLER)])
        due = NOW + timedelta(seconds=10)
        await stores[0].do([operation("c", "50.00"), operation("s", "50.00", kind=Kind.SETTLE)])
        await stores[0].do(
            [
                operation(f"h:{n}", "1.00", kind=Kind.HOLD, expires_at=due if n % 4 else None)
                for n in range(40)
            ]
        )
        assert await stores[0].expire(limit=100) == 0
        now = due

        await asyncio.gather(
            *(store.expire(limit=7) for store in stores * 5),
            *(
                store.do([operation(f"l:{n}", "0", kind=Kind.RELEASE, refers_to=f"h:{n}")])
                for n in range(0, 40, 5)
                for store in stores
            ),
        )
        while await stores[1].expire(limit=7):
            pass

    reader = WalletReader(wallet_db)
    holds = await reader.holds(SELLER, only_open=True, before=None, limit=100)
    (wallet,) = await reader.wallets([SELLER])
    assert {hold.hold_id for hold in holds} == {f"h:{n}" for n in range(0, 40, 4) if n % 5}
    assert (wallet.standing.available, wallet.standing.held) == (42, 8)
    assert await faults(wallet_db) == {}


async def test_what_cannot_expire_keeps_nobody_back(wallet_db: Database) -> None:
    """Two whose expiry's id another operation has, as older versions let it, are passed over."""
    now = NOW
    store = WalletStore(wallet_db, clock=lambda: now)
    await store.open_wallets([new_wallet(SELLER)])
    await store.do([operation("c", "50.00"), operation("s", "50.00", kind=Kind.SETTLE)])
    due = NOW + timedelta(seconds=10)
    names = ("a:1", "a:2", "b:1", "b:2", "b:3")
    await store.do([operation(name, "1.00", kind=Kind.HOLD, expires_at=due) for name in names])
    await store.do([operation(f"a:{n}:expiry", "0.01") for n in (1, 2)])
    now = due

    looked_at = [await store.expire(limit=2) for _ in range(4)]

    assert looked_at == [2, 2, 1, 2]
    open_ = await WalletReader(wallet_db).holds(SELLER, only_open=True, before=None, limit=9)
    assert {hold.hold_id for hold in open_} == {"a:1", "a:2"}


async def test_a_hold_is_captured_once_by_whatever_path(
    wallet_db: Database, wallet_database: ServiceDatabase
) -> None:
    """However many capture parts of a hold at once, what is captured never passes what is held."""
    async with opened(wallet_database) as other:
        stores = [WalletStore(wallet_db), WalletStore(other)]
        await stores[0].open_wallets([new_wallet(SELLER)])
        await stores[0].do(
            [
                operation("c", "10.00"),
                operation("s", "10.00", kind=Kind.SETTLE),
                operation("h", "10.00", kind=Kind.HOLD),
            ]
        )

        answers = await asyncio.gather(
            *(
                store.do([operation(f"k:{n}", "3.00", kind=Kind.CAPTURE_HOLD, refers_to="h")])
                for n in range(8)
                for store in stores
            )
        )

    done = [a for (a,) in answers if isinstance(a, Applied) and not a.replayed]
    assert len(done) == 3
    assert await faults(wallet_db) == {}
