"""Freezing, closing and limiting wallets, and who did it, on a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import grpc
import pytest
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.database import Database
from tests.conftest import opened
from tests.contract.test_wallet_service import apply, balances, facts, fields, reverse
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import (
    OTHER,
    SELLER,
    WalletStub,
    new_wallet,
    operation,
    served,
    wire_operation,
    wire_wallet,
)
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.domain.wallets import Applied
from wallet_svc.store import WalletStore

DEBIT, REFUND = noun.Operation.DEBIT, noun.Operation.REFUND
ACTOR = [("x-paymesh-actor", "alice@ops")]


@pytest.fixture
async def wallets(wallet_db: Database) -> AsyncIterator[WalletStub]:
    """Serve the wallets, two of them open."""
    async with served(wallet_db) as stub:
        asked = [wire_wallet(SELLER), wire_wallet(OTHER, owner="seller_789")]
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=asked))
        yield stub


def freeze(wallet_id: str = SELLER, reason: str = "a question") -> service.FreezeWalletRequest:
    """Ask for a freeze."""
    return service.FreezeWalletRequest(wallet_id=wallet_id, reason=reason)


async def close(wallets: WalletStub, wallet_id: str = SELLER) -> noun.Wallet:
    """Close a wallet."""
    request = service.CloseWalletRequest(wallet_id=wallet_id, reason="it is over")
    return (await wallets.CloseWallet(request)).wallet


async def test_a_frozen_wallet_refuses_what_is_new_and_gives_back(wallets: WalletStub) -> None:
    """A credit is refused, its undoing is not; unfrozen it takes credits again."""
    await apply(wallets, wire_operation("c:1", "5.00"))
    frozen = (await wallets.FreezeWallet(freeze())).wallet

    (refused,) = await apply(wallets, wire_operation("c:2"))
    (undone,) = await reverse(wallets, "c:1")
    request = service.UnfreezeWalletRequest(wallet_id=SELLER, reason="answered")
    thawed = (await wallets.UnfreezeWallet(request)).wallet
    (taken,) = await apply(wallets, wire_operation("c:2", "1.00"))

    assert (frozen.status, frozen.version) == (noun.Wallet.FROZEN, 3)
    assert refused.refusal.reason == "WALLET_FROZEN"
    assert undone.operation.kind == noun.Operation.REVERSAL
    assert (thawed.status, thawed.version) == (noun.Wallet.OPEN, 5)
    assert taken.operation.wallet_version == 6
    assert await balances(wallets) == ("1.00", "0.00", "0.00")


async def test_only_an_empty_wallet_is_closed_and_for_ever(wallets: WalletStub) -> None:
    """A closed wallet still owes what is taken back."""
    await apply(wallets, wire_operation("c:1", "5.00"))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await close(wallets)
    await reverse(wallets, "c:1")

    closed, again = await close(wallets), await close(wallets)
    (refused, owed) = await apply(
        wallets, wire_operation("c:2"), wire_operation("r:1", "2.00", kind=REFUND)
    )
    with pytest.raises(grpc.aio.AioRpcError) as shut:
        await wallets.FreezeWallet(freeze())

    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert facts(error.value).reason == "WALLET_NOT_EMPTY"
    assert facts(error.value).metadata["pending"] == "5.00"
    assert closed == again
    assert closed.status == noun.Wallet.CLOSED
    assert refused.refusal.reason == "WALLET_CLOSED"
    assert owed.operation.available_after == "-2.00"
    assert facts(shut.value).reason == "WALLET_CLOSED"


async def test_a_credit_limit_is_set_with_a_reason(wallets: WalletStub) -> None:
    """It lets the wallet owe so much; lowered, it forbids to owe more, and payment_svc's opening,
    which names no limit, finds the same wallet.
    """
    limit = service.SetCreditLimitRequest(wallet_id=SELLER, credit_limit="9.5", reason="trusted")
    raised = (await wallets.SetCreditLimit(limit)).wallet

    (owed,) = await apply(wallets, wire_operation("d:1", "9.50", kind=DEBIT))
    limit.credit_limit = "0.00"
    lowered = (await wallets.SetCreditLimit(limit)).wallet
    (refused,) = await apply(wallets, wire_operation("d:2", "0.01", kind=DEBIT))
    opening = service.OpenWalletsRequest(wallets=[wire_wallet(SELLER)])
    (opened_again,) = (await wallets.OpenWallets(opening)).results

    assert (raised.credit_limit, raised.version) == ("9.50", 2)
    assert owed.operation.available_after == "-9.50"
    assert (lowered.credit_limit, lowered.available) == ("0.00", "-9.50")
    assert refused.refusal.reason == "INSUFFICIENT_FUNDS"
    assert opened_again.wallet == lowered


async def test_changes_are_kept_with_reason_and_actor(wallets: WalletStub) -> None:
    """The newest first; what changes nothing is not kept."""
    await wallets.FreezeWallet(freeze(), metadata=ACTOR)
    await wallets.FreezeWallet(freeze(reason="again"))
    request = service.UnfreezeWalletRequest(wallet_id=SELLER, reason="answered")
    await wallets.UnfreezeWallet(request)
    limit = service.SetCreditLimitRequest(wallet_id=SELLER, credit_limit="5", reason="trusted")
    await wallets.SetCreditLimit(limit, metadata=ACTOR)

    answer = await wallets.ListWalletChanges(service.ListWalletChangesRequest(wallet_id=SELLER))

    told = [(c.version, c.what, c.before, c.after, c.reason, c.actor) for c in answer.changes]
    status, limit_ = noun.WalletChange.STATUS, noun.WalletChange.CREDIT_LIMIT
    assert told == [
        (4, limit_, "0.00", "5.00", "trusted", "unverified:alice@ops"),
        (3, status, "FROZEN", "OPEN", "answered", "unverified:system"),
        (2, status, "OPEN", "FROZEN", "a question", "unverified:alice@ops"),
    ]


async def test_changes_are_told_page_by_page(wallets: WalletStub) -> None:
    """None is left out or told twice; a token that is none of ours is refused."""
    for turn in range(5):
        limit = service.SetCreditLimitRequest(
            wallet_id=SELLER, credit_limit=str(turn + 1), reason="more"
        )
        await wallets.SetCreditLimit(limit)
    whole = await wallets.ListWalletChanges(service.ListWalletChangesRequest(wallet_id=SELLER))
    request = service.ListWalletChangesRequest(wallet_id=SELLER, page_size=2)

    pages = [await wallets.ListWalletChanges(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await wallets.ListWalletChanges(request))

    assert [len(page.changes) for page in pages] == [2, 2, 1]
    assert [change for page in pages for change in page.changes] == list(whole.changes)
    request.page_token = "none"
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wallets.ListWalletChanges(request)
    assert fields(error.value) == ["page_token"]


async def test_a_change_without_sense_names_the_field(wallets: WalletStub) -> None:
    """No reason, too long a one, a NUL, a limit that is none."""
    limit = service.SetCreditLimitRequest
    wrong = {
        "reason": [freeze(reason=""), freeze(reason="x" * 501), freeze(reason="a\0b")],
        "credit_limit": [
            limit(wallet_id=SELLER, reason="r"),
            limit(wallet_id=SELLER, reason="r", credit_limit="-1"),
            limit(wallet_id=SELLER, reason="r", credit_limit="1.001"),
        ],
    }
    for field, requests in wrong.items():
        for request in requests:
            is_limit = isinstance(request, limit)
            call = wallets.SetCreditLimit if is_limit else wallets.FreezeWallet
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call(request)  # type: ignore[arg-type]
            assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert fields(error.value) == [field]


async def test_an_unknown_wallet_cannot_be_changed(wallets: WalletStub) -> None:
    """NOT_FOUND, for its history too."""
    for call, request in (
        (wallets.FreezeWallet, freeze("none")),
        (wallets.ListWalletChanges, service.ListWalletChangesRequest(wallet_id="none")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(request)  # type: ignore[operator]
        assert facts(error.value).reason == "WALLET_NOT_FOUND"


async def test_a_freeze_races_credits_to_a_clean_cut(
    wallet_db: Database, wallet_database: ServiceDatabase
) -> None:
    """Each credit is applied before the freeze, or refused: none has a version behind it."""
    async with opened(wallet_database) as other:
        stores = [WalletStore(wallet_db), WalletStore(other)]
        await stores[0].open_wallets([new_wallet(SELLER)])

        begun, frozen = asyncio.Event(), asyncio.Event()

        async def credit(caller: int) -> list[object]:
            """Credit until the freeze is there, and once more."""
            answers: list[object] = []
            for turn in itertools.count():
                last = frozen.is_set()
                ids = [f"{caller}:{turn}:{n}" for n in range(1 + caller % 12)]
                store = stores[caller % 2]
                answers.extend(await store.do([operation(name, "1.00") for name in ids]))
                begun.set()
                if last:
                    return answers
            raise AssertionError

        async def freeze_soon() -> int:
            await begun.wait()
            outcome = await stores[1].change_status(
                SELLER, WalletStatus.FROZEN, reason="a race", actor="tester"
            )
            frozen.set()
            return outcome.standing.version

        version, *answers = await asyncio.gather(freeze_soon(), *map(credit, range(16)))

    outcomes = [outcome for answer in answers for outcome in answer]  # type: ignore[union-attr]
    applied = [o.operation for o in outcomes if isinstance(o, Applied)]
    refused = [o for o in outcomes if isinstance(o, errors.WalletFrozen)]
    assert len(applied) + len(refused) == len(outcomes)
    assert applied
    assert refused
    assert version == len(applied) + 2
    assert max(o.after.version for o in applied) == version - 1
    assert await faults(wallet_db) == {}


async def test_transfers_both_ways_at_once_do_not_lock_each_other_out(
    wallet_db: Database, wallet_database: ServiceDatabase
) -> None:
    """Two instances, two wallets, each giving to the other: all are applied, nothing is lost."""
    names = [SELLER, OTHER]
    async with opened(wallet_database) as other:
        stores = [WalletStore(wallet_db), WalletStore(other)]
        await stores[0].open_wallets([new_wallet(name) for name in names])
        for name in names:
            limit = "1000"
            await stores[0].set_credit_limit(name, limit, reason="a test", actor="tester")

        kind = Kind.TRANSFER
        await asyncio.gather(
            *(
                stores[(n + way) % 2].do(
                    [
                        operation(
                            f"{n}:{way}:{part}",
                            "1.00",
                            kind=kind,
                            wallet_id=names[way],
                            refers_to=names[1 - way],
                        )
                        for part in range(1 + n % 11)
                    ]
                )
                for n in range(30)
                for way in (0, 1)
            )
        )

    (row,) = await wallet_db.read("SELECT sum(available) AS total FROM wallets")
    (count,) = await wallet_db.read("SELECT count(*) AS n FROM operations")
    assert row["total"] == 0
    assert count["n"] == 4 * sum(1 + n % 11 for n in range(30))
    assert await faults(wallet_db) == {}
