"""Every RPC that changes something is in the audit log once, or is said to be told elsewhere."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis.database import Database
from chassis.interceptors import RequestContext, _current
from devstack.mesh.contracts import Repetition, methods
from payment_svc.domain.errors import SagaMoved, SecondPersonNeeded, UnverifiedOperator
from payment_svc.domain.resolution import Decision
from payment_svc.operations.ports import Bulk, SagaFilter
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.use_cases.reject_resolution import reject_resolution
from payment_svc.use_cases.retry_saga import retry_saga
from payment_svc.use_cases.retry_sagas import retry_sagas
from tests.audit_coverage import LOGGED, NOT_LOGGED, logged, said
from tests.builders import NOW
from tests.conftest import opened
from tests.contract import bank_payouts as bank
from tests.contract import test_attempt_resolutions as attempts
from tests.contract import test_client_service as clients
from tests.contract import test_psp_disputes as disputes
from tests.contract.resolution_desk import Desk
from tests.dead_letters import ANN, BOB, POLICY, stuck, unknown_charge
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc import builders as books
from tests.unit.psp_gateway.relay import running_world
from tests.unit.psp_gateway.sandbox import running_sandbox, served
from tests.unit.wallet_svc import builders as wallets

ACTOR = [("x-paymesh-actor", "alice@ops")]


@contextmanager
def under(service: str, rpc: str, reason: str = "because") -> Iterator[None]:
    """Be within an RPC that an operator makes with a certificate."""
    context = RequestContext(
        request_id="req_1", operator="spiffe://x/ann", method=f"{service}/{rpc}", reason=reason
    )
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def test_every_rpc_that_changes_something_is_classified() -> None:
    """A new one fails here until it is logged, or it is said why not."""
    changing = {
        method.path.removeprefix("/")
        for found in methods().values()
        for method in found.values()
        if method.repetition is not Repetition.NO_SIDE_EFFECTS
    }
    every = frozenset().union(*LOGGED.values())

    assert changing == every | set(NOT_LOGGED)
    assert not every & set(NOT_LOGGED)


async def test_wallets(wallet_db: Database) -> None:
    """Each change once; a repetition and a refusal not at all."""
    name, reason = wallets.SELLER, "a question"
    async with wallets.served(wallet_db) as stub:
        opening = wallet.OpenWalletsRequest(wallets=[wallets.wire_wallet(name)])
        limit = wallet.SetCreditLimitRequest(wallet_id=name, credit_limit="9", reason=reason)
        close = wallet.CloseWalletRequest(wallet_id=name, reason=reason)
        freeze = wallet.FreezeWalletRequest(wallet_id=name, reason=reason)
        for _ in range(2):
            await stub.OpenWallets(opening, metadata=ACTOR)
        for _ in range(2):
            await stub.FreezeWallet(freeze, metadata=ACTOR)
        thaw = wallet.UnfreezeWalletRequest(wallet_id=name, reason=reason)
        await stub.UnfreezeWallet(thaw, metadata=ACTOR)
        await stub.SetCreditLimit(limit, metadata=ACTOR)
        await stub.CloseWallet(close, metadata=ACTOR)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.FreezeWallet(freeze, metadata=ACTOR)

    lines = await logged(wallet_db)
    assert [line["action"] for line in lines] == [
        f"paymesh.wallet.v1.WalletService/{rpc}"
        for rpc in (
            "OpenWallets",
            "FreezeWallet",
            "UnfreezeWallet",
            "SetCreditLimit",
            "CloseWallet",
        )
    ]
    assert {line["action"] for line in lines} == LOGGED["wallet_svc"]
    assert {line["actor_id"] for line in lines} == {"alice@ops"}
    assert not any(line["is_verified"] for line in lines)
    frozen = said(lines, "FreezeWallet")
    assert (frozen["reason"], frozen["before"], frozen["after"]) == (
        reason, {"status": "OPEN"}, {"status": "FROZEN"},
    )  # fmt: skip
    assert said(lines, "SetCreditLimit")["after"] == {"credit_limit": "9.00"}


async def test_the_ledger(ledger_db: Database) -> None:
    """Accounts and months: each change once, a repetition not at all."""
    name, reason = books.SELLER, "asked to"
    async with books.served(ledger_db) as stub:
        account = books.wire_account(name, ledger_pb2.Account.LIABILITY)
        await stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=[account]), metadata=ACTOR)
        freeze = ledger.FreezeAccountRequest(account_id=name, reason=reason)
        for _ in range(2):
            await stub.FreezeAccount(freeze, metadata=ACTOR)
        thaw = ledger.UnfreezeAccountRequest(account_id=name, reason=reason)
        await stub.UnfreezeAccount(thaw, metadata=ACTOR)
        close = ledger.CloseAccountRequest(account_id=name, reason=reason)
        await stub.CloseAccount(close, metadata=ACTOR)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.FreezeAccount(freeze, metadata=ACTOR)
        month = ledger.CloseMonthRequest(month="2026-01", reason="over")
        for _ in range(2):
            _ = [told async for told in stub.CloseMonth(month, metadata=ACTOR)]

    lines = await logged(ledger_db)
    assert len(lines) == len({line["action"] for line in lines}) == 5
    assert {line["action"] for line in lines} == LOGGED["ledger_svc"]
    assert {line["actor_id"] for line in lines} == {"alice@ops"}
    assert said(lines, "CloseAccount")["before"] == {"status": "OPEN"}
    closed = said(lines, "CloseMonth")
    assert (closed["object_id"], closed["reason"]) == ("2026-01", "over")


async def test_circuits(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """A reset is told before it is done; one of a PSP that is not there is not."""
    async with served(psp_database, bank.NOWHERE) as gateway:
        reset = psp.ResetCircuitRequest(psp="stripe", reason="it is back")
        await gateway.stub.ResetCircuit(reset, metadata=ACTOR)
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.stub.ResetCircuit(psp.ResetCircuitRequest(psp="square"), metadata=ACTOR)

    async with opened(psp_database) as database:
        (line,) = await logged(database)
    assert (line["actor_id"], line["reason"], line["object_id"]) == (
        "alice@ops", "it is back", "stripe",
    )  # fmt: skip


async def test_bank_statements(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """One that is taken in is told; one that is refused is not."""
    async with bank.with_bank(psp_database, tmp_path / "outbox") as gateway:
        await gateway.payouts(bank.bank_payout())
        await bank.say(gateway, bank.booked())
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.stub.ImportBankStatement(
                psp.ImportBankStatementRequest(content=b"<a/>"), timeout=60
            )

    async with opened(psp_database) as database:
        (line,) = await logged(database)
    assert line["action"] == "paymesh.psp.v1.PspGatewayService/ImportBankStatement"
    assert line["after"] == {"statements": "1", "payouts": "1"}


async def test_disputes(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """Evidence and acceptance, once per request id; nothing of the evidence itself."""
    async with running_world(psp_database, tmp_path) as world:
        gateway = world.gateway
        found = await disputes.disputed(gateway)
        for _ in range(2):
            await disputes.submit(gateway, found.dispute_id)

    async with opened(psp_database) as database:
        (line,) = await logged(database)
    assert line["action"] == "paymesh.psp.v1.DisputeService/SubmitEvidence"
    assert line["after"] == {"answer": "SUBMIT", "request_id": "request_1"}


async def test_accepted_disputes(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """Giving a dispute up is told once."""
    async with running_world(psp_database, tmp_path) as world:
        found = await disputes.disputed(world.gateway)
        for _ in range(2):
            await disputes.accept(world.gateway, found.dispute_id)

    async with opened(psp_database) as database:
        (line,) = await logged(database)
    assert line["action"] == "paymesh.psp.v1.DisputeService/AcceptDispute"


async def test_attempts(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """What persons said of an attempt is told once, with who they are."""
    async with running_sandbox(tmp_path) as sandbox, served(psp_database, sandbox.url) as gateway:
        attempt = await attempts.unknown(gateway, sandbox, charged=True)
        for _ in range(2):
            await attempts.resolve(gateway, attempt)

    async with opened(psp_database) as database:
        (line,) = await logged(database)
    assert line["action"] == "paymesh.psp.v1.AttemptResolutionService/ResolveAttempts"
    assert "proposed by ann, approved by bob" in line["reason"]
    assert (line["before"], line["after"]["outcome"]) == ({"outcome": "UNKNOWN"}, "SUCCEEDED")


async def test_clients_of_the_edge(edge_auth_database: ServiceDatabase, redis_url: str) -> None:
    """What is made, rotated, limited and revoked, once each; no refusal, no secret."""
    name, why = "shop", "they signed"
    async with AsyncExitStack() as stack:
        stub = (await clients.instance(stack, edge_auth_database, redis_url)).stub
        create = edge.CreateClientRequest(client_id=name, signing=True, reason=why)
        made = await stub.CreateClient(create, metadata=ACTOR)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.CreateClient(create, metadata=ACTOR)
        rotate = edge.RotateCredentialRequest(
            client_id=name, kind=edge.Credential.API_KEY, reason=why
        )
        rotated = await stub.RotateCredential(rotate, metadata=ACTOR)
        limit = edge.SetClientLimitRequest(
            client_id=name, requests_per_second=5, burst=9, reason=why
        )
        await stub.SetClientLimit(limit, metadata=ACTOR)
        revoke = edge.RevokeClientRequest(client_id=name, reason=why)
        for _ in range(2):
            await stub.RevokeClient(revoke, metadata=ACTOR)

    async with opened(edge_auth_database) as database:
        lines = await logged(database)
    assert len(lines) == len({line["action"] for line in lines}) == 4
    assert {line["action"] for line in lines} == LOGGED["edge_auth"]
    assert {(line["actor_id"], line["reason"]) for line in lines} == {("alice@ops", why)}
    assert said(lines, "SetClientLimit")["after"] == {"requests_per_second": "5", "burst": "9"}
    assert said(lines, "RevokeClient")["after"] == {"status": "revoked"}
    secrets = [made.api_key, made.secret, rotated.value]
    assert not [one for one in secrets if one and one.split("_")[2] in str(lines)]


_OPERATIONS = "paymesh.payment.v1.OperationsService"


async def test_a_retry(payment_db: Database) -> None:
    """One line: who, why, and where the saga stood and stands; one that is refused leaves none."""
    store = PostgresOperatorStore(payment_db)
    dead = (await stuck(payment_db)).progress
    for epoch in (dead.epoch + 7, dead.epoch):
        with under(_OPERATIONS, "RetrySaga"), suppress(SagaMoved):
            await retry_saga(
                dead.saga_id, epoch, "gone", store=store, actor=ANN, policy=POLICY, now=NOW
            )

    line = said(await logged(payment_db), "RetrySaga")
    assert (line["actor_id"], line["reason"], line["object_id"]) == ("ann", "gone", dead.saga_id)
    assert (line["before"]["queue"], line["after"]["queue"]) == ("DEAD_LETTER", "RETRY")


async def test_retries_together(payment_db: Database) -> None:
    """A line for each saga."""
    await stuck(payment_db)
    with under(_OPERATIONS, "RetrySagas"):
        await retry_sagas(
            Bulk(SagaFilter(), 10), "all", gap=timedelta(0), offset=timedelta(0),
            store=PostgresOperatorStore(payment_db), actor=ANN, now=NOW,
        )  # fmt: skip

    assert said(await logged(payment_db), "RetrySagas")["reason"] == "all"


async def test_resolutions(payment_db: Database) -> None:
    """What was proposed, rejected, approved: a line each; what was approved is applied in one of
    its own.
    """
    desk = Desk(payment_db)
    journey = await unknown_charge(payment_db)
    with under(_OPERATIONS, "ResolveSaga"):
        first = await desk.propose(journey, Decision.CHARGED)
    proposed = said(await logged(payment_db), "ResolveSaga")
    with under(_OPERATIONS, "RejectResolution"):
        await reject_resolution(first.resolution_id, "no", store=desk.store, actor=BOB, now=NOW)
    second = await desk.propose(journey, Decision.CHARGED)
    with under(_OPERATIONS, "ApproveResolution"):
        await desk.operations.approve(second.resolution_id, "seen it too", BOB)

    lines = await logged(payment_db)
    assert (proposed["actor_id"], proposed["reason"]) == ("ann", "The PSP does not tell")
    assert said(lines, "RejectResolution")["reason"] == "no"
    assert said(lines, "ApproveResolution")["actor_id"] == "bob"
    applied = said(lines, "ApplyResolution")
    assert (applied["after"]["decision"], applied["request_id"]) == ("CHARGED", "req_1")


async def test_who_would_approve_his_own_proposal_is_told(payment_db: Database) -> None:
    """He changes nothing, and leaves a line each time: who, of what, why he said, and why not."""
    desk = Desk(payment_db)
    proposal = await desk.propose(await unknown_charge(payment_db), Decision.CHARGED)
    before = len(await logged(payment_db))
    for _ in range(2):
        with under(_OPERATIONS, "ApproveResolution", "hurry"), pytest.raises(SecondPersonNeeded):
            await desk.operations.approve(proposal.resolution_id, "hurry", ANN)

    lines = (await logged(payment_db))[before:]
    assert [line["action"] for line in lines] == [f"{_OPERATIONS}/ApproveResolution"] * 2
    assert {(line["object_kind"], line["object_id"], line["reason"]) for line in lines} == {
        ("resolution", proposal.resolution_id, "hurry")
    }
    assert [line["after"] for line in lines] == [{"refused": "SECOND_PERSON_NEEDED"}] * 2
    assert {(line["actor_id"], line["is_verified"]) for line in lines} == {("spiffe://x/ann", True)}


async def test_who_would_approve_by_his_own_word_is_told(payment_db: Database) -> None:
    """In production that changes nothing, and leaves a line."""
    journey = await unknown_charge(payment_db)
    proposal = await Desk(payment_db).propose(journey, Decision.CHARGED)
    desk = Desk(payment_db, certified_only=True)
    with under(_OPERATIONS, "ApproveResolution", "hurry"), pytest.raises(UnverifiedOperator):
        await desk.operations.approve(proposal.resolution_id, "hurry", BOB)

    told = said(await logged(payment_db), "ApproveResolution")
    assert (told["object_id"], told["after"]) == (
        proposal.resolution_id,
        {"refused": "UNVERIFIED_OPERATOR"},
    )
    assert (await desk.store.find(proposal.resolution_id)) == proposal
