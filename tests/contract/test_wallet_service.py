"""The wallets' RPCs over real gRPC and a real PostgreSQL."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from paymesh.wallet.v1 import wallet_pb2 as noun
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.database import Database
from tests.unit.wallet_svc.builders import (
    OTHER,
    SELLER,
    WalletStub,
    served,
    wire_operation,
    wire_wallet,
)

SETTLE, TRANSFER = noun.Operation.SETTLE, noun.Operation.TRANSFER


@pytest.fixture
async def wallets(wallet_db: Database) -> AsyncIterator[WalletStub]:
    """Serve the wallets, two of them open."""
    async with served(wallet_db) as stub:
        asked = [wire_wallet(SELLER), wire_wallet(OTHER, owner="seller_789")]
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=asked))
        yield stub


async def apply(
    wallets: WalletStub, *operations: service.NewOperation
) -> list[service.OperationResult]:
    """Apply in one batch."""
    request = service.ApplyOperationsRequest(operations=operations)
    return list((await wallets.ApplyOperations(request)).results)


async def reverse(wallets: WalletStub, *operation_ids: str) -> list[service.OperationResult]:
    """Reverse in one batch."""
    request = service.ReverseOperationsRequest(operation_ids=operation_ids)
    return list((await wallets.ReverseOperations(request)).results)


async def balances(wallets: WalletStub, wallet_id: str = SELLER) -> tuple[str, str, str]:
    """Read a wallet's pending, available and held."""
    response = await wallets.GetWallet(service.GetWalletRequest(wallet_id=wallet_id))
    return response.wallet.pending, response.wallet.available, response.wallet.held


def facts(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Read the ErrorInfo of an error."""
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Read the fields of the BadRequest of an error."""
    status = rpc_status.from_call(error)
    assert status is not None
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    return [violation.field for violation in bad.field_violations]


async def test_credit_then_settle_moves_money_to_available(wallets: WalletStub) -> None:
    """A credit is pending until it is settled; each answer holds the balances after it."""
    credit, settle = await apply(
        wallets, wire_operation("c:1", "99.9"), wire_operation("s:1", "99.9", kind=SETTLE)
    )

    assert not credit.replayed
    assert (credit.operation.kind, credit.operation.amount) == (noun.Operation.CREDIT, "99.90")
    assert credit.operation.subject_id == "pay_1"
    assert (credit.operation.pending_after, credit.operation.available_after) == ("99.90", "0.00")
    assert (settle.operation.pending_after, settle.operation.available_after) == ("0.00", "99.90")
    assert [r.operation.wallet_sequence for r in (credit, settle)] == [1, 2]
    assert await balances(wallets) == ("0.00", "99.90", "0.00")


async def test_replay_answers_the_first_answer(wallets: WalletStub) -> None:
    """The same operation again answers the same bytes, however the wallet has moved since."""
    (first,) = await apply(wallets, wire_operation("c:1"))
    await apply(wallets, wire_operation("c:2"))

    (second,) = await apply(wallets, wire_operation("c:1"))

    assert second.replayed
    assert second.operation == first.operation
    assert await balances(wallets) == ("199.98", "0.00", "0.00")


async def test_operation_id_with_other_content_is_refused(wallets: WalletStub) -> None:
    """An operation id applied again with other content is refused, naming what differs."""
    await apply(wallets, wire_operation("c:1", "10.00"))

    (result,) = await apply(
        wallets, wire_operation("c:1", "11.00", wallet_id=OTHER, subject_id="pay_2")
    )

    assert result.refusal.reason == "OPERATION_REUSED"
    assert dict(result.refusal.metadata) == {
        "operationId": "c:1",
        "differs": "walletId,amount,subjectId",
    }
    assert await balances(wallets) == ("10.00", "0.00", "0.00")


async def test_refused_items_leave_their_neighbours_alone(wallets: WalletStub) -> None:
    """Each item has its own answer, in the order asked, whatever became of the others."""
    results = await apply(
        wallets,
        wire_operation("good:1", "1.00"),
        wire_operation("bad:amount", "1.001"),
        wire_operation("bad:zero", "0.00"),
        wire_operation("bad:currency", currency="ZZZ"),
        wire_operation("bad:wallet", wallet_id="nobody"),
        wire_operation("bad:mismatch", currency="EUR"),
        wire_operation("bad:settle", "5.00", kind=SETTLE),
        wire_operation("good:2", "2.00"),
        wire_operation("good:1", "1.00"),
    )

    reasons = [result.refusal.reason for result in results]
    assert reasons == [
        "", "INVALID_AMOUNT", "INVALID_AMOUNT", "UNKNOWN_CURRENCY", "WALLET_NOT_FOUND",
        "CURRENCY_MISMATCH", "INSUFFICIENT_FUNDS", "", "",
    ]  # fmt: skip
    assert results[1].refusal.metadata["field"] == "amount"
    assert dict(results[6].refusal.metadata) == {"walletId": SELLER, "pending": "1.00"}
    assert [result.replayed for result in results] == [False] * 8 + [True]
    assert await balances(wallets) == ("3.00", "0.00", "0.00")


async def test_reversal_takes_a_pending_credit_back_once(wallets: WalletStub) -> None:
    """A reversal takes the credit from pending, once however often it is asked for."""
    await apply(wallets, wire_operation("c:1", "10.00"), wire_operation("c:2", "5.00"))

    (first,) = await reverse(wallets, "c:1")
    again = await reverse(wallets, "c:1", "c:1")

    assert not first.replayed
    assert first.operation.operation_id == "c:1:reversal"
    assert first.operation.kind == noun.Operation.REVERSAL
    assert (first.operation.amount, first.operation.subject_id) == ("10.00", "pay_1")
    assert [r.replayed for r in again] == [True, True]
    assert all(r.operation == first.operation for r in again)
    assert await balances(wallets) == ("5.00", "0.00", "0.00")


async def test_reversal_of_a_settled_credit_leaves_other_pending_money_alone(
    wallets: WalletStub,
) -> None:
    """Once settled, a credit comes back from available, never from another payment's money.

    What the same payment has pending for another seller makes no difference.
    """
    await apply(
        wallets,
        wire_operation("c:1", "10.00", subject_id="pay_1"),
        wire_operation("s:1", "10.00", kind=SETTLE, subject_id="pay_1"),
        wire_operation("c:2", "7.00", subject_id="pay_2"),
        wire_operation("c:3", "10.00", subject_id="pay_1", wallet_id=OTHER),
    )

    (reversal,) = await reverse(wallets, "c:1")
    (settled,) = await apply(
        wallets, wire_operation("s:2", "7.00", kind=SETTLE, subject_id="pay_2")
    )

    assert reversal.operation.available_after == "0.00"
    assert reversal.operation.pending_after == "7.00"
    assert settled.operation.available_after == "7.00"


async def test_undo_may_overtake_its_do(wallets: WalletStub) -> None:
    """Reversing what is not there closes the id for the operation that arrives later."""
    first, twice = await reverse(wallets, "c:1", "c:1")
    (later,) = await reverse(wallets, "c:1")

    (late,) = await apply(wallets, wire_operation("c:1"))

    assert all(r.closed_before_arrival for r in (first, twice, later))
    assert [r.replayed for r in (first, twice, later)] == [False, True, True]
    assert late.refusal.reason == "REVERSED_BEFORE_ARRIVAL"
    assert await balances(wallets) == ("0.00", "0.00", "0.00")


async def test_a_reversal_cannot_be_undone_in_advance(wallets: WalletStub) -> None:
    """Nobody closes the id that a reversal will have: the reversal could never come."""
    await apply(wallets, wire_operation("c:1"))

    (early,) = await reverse(wallets, "c:1:reversal")
    (done,) = await reverse(wallets, "c:1")

    assert early.refusal.reason == "NOT_REVERSIBLE"
    assert done.operation.operation_id == "c:1:reversal"
    assert await balances(wallets) == ("0.00", "0.00", "0.00")


async def test_a_credit_with_the_longest_id_can_be_reversed(wallets: WalletStub) -> None:
    """Whatever can be applied can be taken back."""
    await apply(wallets, wire_operation("c" * 200))

    (done,) = await reverse(wallets, "c" * 200)

    assert done.operation.reverses_operation_id == "c" * 200
    assert await balances(wallets) == ("0.00", "0.00", "0.00")


async def test_only_a_credit_can_be_reversed(wallets: WalletStub) -> None:
    """A SETTLE and a REVERSAL are not reversible."""
    await apply(wallets, wire_operation("c:1"), wire_operation("s:1", "1.00", kind=SETTLE))
    await reverse(wallets, "c:1")

    settle, reversal = await reverse(wallets, "s:1", "c:1:reversal")

    assert [r.refusal.reason for r in (settle, reversal)] == ["NOT_REVERSIBLE"] * 2
    assert [r.refusal.metadata["kind"] for r in (settle, reversal)] == ["SETTLE", "REVERSAL"]


async def test_opening_again_answers_the_wallet_or_what_differs(wallets: WalletStub) -> None:
    """A wallet that is there answers as it is; asked for with other facts it is refused."""
    await apply(wallets, wire_operation("c:1", "5.00"))

    response = await wallets.OpenWallets(
        service.OpenWalletsRequest(
            wallets=[
                wire_wallet(SELLER),
                wire_wallet(SELLER, owner="thief", currency="EUR"),
                wire_wallet("new"),
                wire_wallet("new"),
                wire_wallet("odd", currency="ZZZ"),
                wire_wallet(SELLER, account_type=noun.Wallet.BUYER, credit_limit="1"),
                wire_wallet("rich", account_type=noun.Wallet.PLATFORM, credit_limit="10"),
                wire_wallet("poor", credit_limit="-1"),
            ]
        )
    )

    same, other, new, again, odd, buyer, rich, poor = response.results
    assert (same.wallet.pending, same.wallet.operation_count) == ("5.00", 1)
    assert other.refusal.reason == "WALLET_DIFFERS"
    assert other.refusal.metadata["differs"] == "owner,currency"
    assert new.wallet.status == noun.Wallet.OPEN
    assert again == new
    assert odd.refusal.reason == "UNKNOWN_CURRENCY"
    assert buyer.refusal.metadata["differs"] == "accountType,creditLimit"
    assert (new.wallet.account_type, new.wallet.credit_limit) == (noun.Wallet.SELLER, "0.00")
    assert (rich.wallet.account_type, rich.wallet.credit_limit) == (noun.Wallet.PLATFORM, "10.00")
    assert dict(poor.refusal.metadata) == {"field": "credit_limit"}


async def test_many_wallets_are_read_at_once(wallets: WalletStub) -> None:
    """Those found by id, those missing in the order asked, each once."""
    await apply(wallets, wire_operation("c:1", "5.00"))

    answer = await wallets.GetWallets(
        service.GetWalletsRequest(wallet_ids=["z", OTHER, SELLER, "a", "z", SELLER])
    )

    assert [found.wallet_id for found in answer.wallets] == [SELLER, OTHER]
    assert [found.version for found in answer.wallets] == [2, 1]
    assert list(answer.missing_wallet_ids) == ["z", "a"]


async def test_unknown_wallet_is_not_found(wallets: WalletStub) -> None:
    """An unknown wallet is NOT_FOUND, with the reason and the id."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wallets.GetWallet(service.GetWalletRequest(wallet_id="none"))

    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    info = facts(error.value)
    assert (info.reason, info.domain) == ("WALLET_NOT_FOUND", "wallet.paymesh")
    assert dict(info.metadata) == {"walletId": "none"}


@pytest.mark.parametrize("name", ["c:1:reversal", "h:1:expiry"])
async def test_nobody_applies_under_the_wallets_own_ids(wallets: WalletStub, name: str) -> None:
    """Such an id would keep a credit from being reversed, or a hold from expiring."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await apply(wallets, wire_operation("ok"), wire_operation(name))

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(error.value) == ["operations[1].operation_id"]
    assert await balances(wallets) == ("0.00", "0.00", "0.00")


async def test_bad_requests_name_the_field(wallets: WalletStub) -> None:
    """What can never be right is INVALID_ARGUMENT, with the field's path, and applies nothing."""
    wrong = {
        "operations[0].operation_id": wire_operation("spaces are out"),
        "operations[0].kind": wire_operation("r:1", kind=noun.Operation.REVERSAL),
        "operations[0].subject_id": wire_operation("n:1", subject_id="a\0b"),
        "operations[0].amount": wire_operation("e:1", amount=""),
        "operations[0].hold_id": wire_operation("h:1", hold_id="h"),
        "operations[0].to_wallet_id": wire_operation("t:1", kind=TRANSFER, to_wallet_id=SELLER),
        "operations[0].releases_rest": wire_operation("l:1", releases_rest=True),
        "operations[0].expires_at": wire_operation("x:1", expires_at=Timestamp(seconds=1)),
        "operations[1].linked": wire_operation("y:1"),
    }
    for field, asked in wrong.items():
        neighbour = wire_operation("neighbour", linked=field == "operations[1].linked")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await apply(wallets, asked, neighbour)

        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == [field]
    assert await balances(wallets) == ("0.00", "0.00", "0.00")


async def listed(wallets: WalletStub, page_size: int, **filters: str) -> list[str]:
    """Walk all pages; answer the operation ids."""
    found: list[str] = []
    token = ""
    while True:
        page = await wallets.ListOperations(
            service.ListOperationsRequest(page_size=page_size, page_token=token, **filters)
        )
        assert len(page.operations) <= page_size
        found += [operation.operation_id for operation in page.operations]
        token = page.next_page_token
        if not token:
            return found
        assert len(found) < 100, "the pages do not end"


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
async def test_pages_hold_every_operation_once_the_newest_first(
    wallets: WalletStub, page_size: int
) -> None:
    """Walking the pages sees each operation once, whatever the filter and the page size."""
    await apply(wallets, *[wire_operation(f"a:{n}", subject_id="pay_1") for n in range(4)])
    await apply(
        wallets,
        *[wire_operation(f"b:{n}", subject_id="pay_2") for n in range(3)],
        wire_operation("o:0", wallet_id=OTHER, subject_id="pay_2"),
    )
    own = ["b:2", "b:1", "b:0", "a:3", "a:2", "a:1", "a:0"]

    everything = await listed(wallets, page_size)
    of_wallet = await listed(wallets, page_size, wallet_id=SELLER)
    of_payment = await listed(wallets, page_size, subject_id="pay_2")
    of_both = await listed(wallets, page_size, subject_id="pay_2", wallet_id=OTHER)

    assert [name for name in everything if name != "o:0"] == own
    assert set(everything[:4]) == {"b:2", "b:1", "b:0", "o:0"}
    assert of_wallet == own
    assert of_payment == everything[:4]
    assert of_both == ["o:0"]


async def test_page_token_is_bound_to_its_filters(wallets: WalletStub) -> None:
    """A token with other filters, or one that is none of ours, is INVALID_ARGUMENT."""
    await apply(wallets, *[wire_operation(f"a:{n}") for n in range(3)])
    page = await wallets.ListOperations(
        service.ListOperationsRequest(wallet_id=SELLER, page_size=1)
    )

    for token, wallet_id in ((page.next_page_token, OTHER), ("!", SELLER), ("bnVsbA", SELLER)):
        request = service.ListOperationsRequest(wallet_id=wallet_id, page_token=token)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await wallets.ListOperations(request)

        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == ["page_token"]
