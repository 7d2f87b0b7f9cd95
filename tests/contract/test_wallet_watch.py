"""Watching wallets: the newest state, over real gRPC and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress

import grpc
import pytest
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.database import Database
from tests.contract.test_wallet_service import apply, facts
from tests.unit.wallet_svc.builders import (
    OTHER,
    SELLER,
    WalletStub,
    served,
    wallet,
    wire_operation,
    wire_wallet,
)
from wallet_svc.domain.wallet import Wallet
from wallet_svc.reader import WalletReader
from wallet_svc.watching import Watching

_DEADLINE_S = 60


@pytest.fixture
async def wallets(wallet_db: Database) -> AsyncIterator[WalletStub]:
    """Serve the wallets, two of them open."""
    async with served(wallet_db) as stub:
        asked = [wire_wallet(SELLER), wire_wallet(OTHER, owner="seller_789")]
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=asked))
        yield stub


async def test_a_watch_tells_a_wallet_and_then_its_changes(wallets: WalletStub) -> None:
    """As it is, then after an operation and after a freeze; another wallet's changes are not
    told.
    """
    request = service.WatchWalletRequest(wallet_id=SELLER)
    watch = wallets.WatchWallet(request, timeout=_DEADLINE_S)
    first = (await anext(aiter(watch))).wallet
    await apply(wallets, wire_operation("c:1", "5.00"), wire_operation("o:1", wallet_id=OTHER))
    second = (await anext(aiter(watch))).wallet
    await wallets.FreezeWallet(service.FreezeWalletRequest(wallet_id=SELLER, reason="r"))
    third = (await anext(aiter(watch))).wallet
    watch.cancel()

    assert [state.version for state in (first, second, third)] == [1, 2, 3]
    assert second.pending == "5.00"
    assert third.status == third.FROZEN


async def test_a_watch_goes_on_after_the_version_that_was_seen(wallets: WalletStub) -> None:
    """It tells nothing older, and the newest state of what was missed."""
    for number in range(3):
        await apply(wallets, wire_operation(f"c:{number}", "1.00"))

    behind = wallets.WatchWallet(
        service.WatchWalletRequest(wallet_id=SELLER, after_version=2), timeout=_DEADLINE_S
    )
    ahead = wallets.WatchWallet(
        service.WatchWalletRequest(wallet_id=SELLER, after_version=4), timeout=_DEADLINE_S
    )
    caught_up = (await anext(aiter(behind))).wallet
    await apply(wallets, wire_operation("c:9", "1.00"))
    newer = (await anext(aiter(ahead))).wallet
    behind.cancel()
    ahead.cancel()

    assert (caught_up.version, newer.version) == (4, 5)


async def test_a_watch_ends_with_its_deadline(wallets: WalletStub) -> None:
    """However quiet the wallet is."""
    watch = wallets.WatchWallet(service.WatchWalletRequest(wallet_id=SELLER), timeout=5)
    states: list[int] = []
    with suppress(grpc.aio.AioRpcError):  # whichever end sees the deadline first
        while (state := await watch.read()) is not grpc.aio.EOF:
            states.append(state.wallet.version)

    assert states == [1]
    assert await watch.code() in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED)


async def test_who_hangs_up_is_forgotten(wallet_db: Database) -> None:
    """A watch that was cancelled, or whose deadline came, leaves nothing behind."""
    watching = Watching(WalletReader(wallet_db).changed, every_s=0.02)
    async with served(wallet_db, watching=watching) as stub:
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=[wire_wallet(SELLER)]))
        request = service.WatchWalletRequest(wallet_id=SELLER)
        watches = [stub.WatchWallet(request, timeout=_DEADLINE_S) for _ in range(10)]
        for watch in watches:
            await watch.read()
        most = watching.count
        for watch in watches:
            watch.cancel()
        async with asyncio.timeout(_DEADLINE_S):
            while watching.count:
                await asyncio.sleep(0.01)

    assert most == 10


async def test_an_unknown_wallet_cannot_be_watched(wallets: WalletStub) -> None:
    """NOT_FOUND at once."""
    watch = wallets.WatchWallet(service.WatchWalletRequest(wallet_id="none"), timeout=_DEADLINE_S)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await anext(aiter(watch))

    assert facts(error.value).reason == "WALLET_NOT_FOUND"


class Versions:
    """Wallets whose versions a test sets; counts how often they are looked at, and how often
    something new was found.
    """

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.looks = self.finds = self.most = 0

    def at(self, name: str) -> Wallet:
        """Make a wallet of the version."""
        made = wallet(name)
        return made._replace(standing=made.standing._replace(version=self.now[name]))

    async def look(self, seen: Mapping[str, int]) -> Sequence[Wallet]:
        """Find those that are newer."""
        self.looks += 1
        self.most = max(self.most, len(seen))
        found = [self.at(name) for name, version in seen.items() if self.now[name] > version]
        self.finds += bool(found)
        return found


async def test_one_look_serves_all_and_a_slow_reader_sees_the_newest() -> None:
    """A hundred watchers cost what one costs; nobody watching costs nothing."""
    versions = Versions()
    versions.now = {"a": 1, "b": 1}
    watching = Watching(versions.look, every_s=0.01)
    watches = [
        watching.states(versions.at(name), 1, _DEADLINE_S) for name in ("a", "b") for _ in range(50)
    ]
    nexts = [asyncio.ensure_future(anext(watch)) for watch in watches]
    while watching.count < 100:
        await asyncio.sleep(0)
    versions.now = {"a": 2, "b": 7}

    told = [state.standing.version for state in await asyncio.gather(*nexts)]
    found = versions.finds
    slow = watches[0]
    for version in (3, 4, 5):
        versions.now["a"] = version
        before = versions.looks
        while versions.looks < before + 2:
            await asyncio.sleep(0)
    newest = (await anext(slow)).standing.version
    for watch in watches:
        await watch.aclose()

    assert told == [2] * 50 + [7] * 50
    assert (found, versions.most) == (1, 2)
    assert newest == 5
    assert watching.count == 0
    await watching.close()


async def test_a_look_that_fails_is_made_up_for() -> None:
    """A database that is away for a moment ends no watch."""
    versions = Versions()
    versions.now = {"a": 1}
    failures = iter([OSError("away"), OSError("away")])

    async def look(seen: Mapping[str, int]) -> Sequence[Wallet]:
        for failure in failures:
            raise failure
        return await versions.look(seen)

    watching = Watching(look, every_s=0.01)
    async with aclosing(watching.states(versions.at("a"), 1, _DEADLINE_S)) as states:
        versions.now["a"] = 2
        assert (await anext(states)).standing.version == 2
    await watching.close()
