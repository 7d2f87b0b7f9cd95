"""INV-15's other half: what was changed and is not in the audit log is named, in every service."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import LiteralString

import psycopg
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from audit_log.chain import Kind, Offence
from audit_log.reader import AuditLogReader, Verdict
from audit_log.unlogged import watching
from chassis.clock import utc_now
from chassis.telemetry import REGISTRY
from edge_auth.unlogged import UNLOGGED as EDGE
from ledger_svc.domain.account import AccountType
from ledger_svc.store import LedgerStore
from ledger_svc.unlogged import UNLOGGED as LEDGER
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.unlogged import UNLOGGED as PAYMENT
from payment_svc.use_cases.retry_saga import retry_saga
from psp_gateway.unlogged import UNLOGGED as PSP
from tests.builders import NOW
from tests.conftest import opened
from tests.contract import bank_payouts as bank
from tests.contract import test_attempt_resolutions as attempts
from tests.contract import test_client_service as clients
from tests.contract import test_psp_disputes as disputes
from tests.dead_letters import ANN, POLICY, stuck
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc import builders as books
from tests.unit.psp_gateway.relay import running_world
from tests.unit.psp_gateway.sandbox import running_sandbox, served
from tests.unit.wallet_svc import builders as wallets
from wallet_svc.domain.wallet import NewWallet
from wallet_svc.store import WalletStore
from wallet_svc.unlogged import UNLOGGED as WALLET

# What is done to a service's database by hand, and who is named for it.
Plants = Sequence[tuple[LiteralString, str]]
ACTOR = [("x-paymesh-actor", "alice@ops")]
FORGET: LiteralString = "DELETE FROM audit_log WHERE sequence > 1"
THIS_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


async def judged(
    stored: ServiceDatabase, query: LiteralString, since: datetime | None = None
) -> tuple[list[str], int]:
    """Have a log verified: which changes it does not tell of, and how many offences there are."""
    async with opened(stored) as database:
        told = [one async for one in AuditLogReader(database, query).verify({}, since)]
    verdict = told[-1]
    assert isinstance(verdict, Verdict)
    found = [one for one in told if isinstance(one, Offence)]
    return [one.subject for one in found if one.kind is Kind.CHANGE_UNLOGGED], verdict.offence_count


async def planted(stored: ServiceDatabase, query: LiteralString, plants: Plants) -> None:
    """Hold that nothing is named as it is, and that each plant is, by its name."""
    assert await judged(stored, query) == ([], 0)
    for statement, name in plants:
        with psycopg.connect(stored.owner_url) as owner:
            before = await judged(stored, query)
            assert owner.execute(statement).rowcount > 0, statement
            owner.commit()
        found, count = await judged(stored, query)
        assert count > before[1], statement
        assert any(name in subject for subject in found), (statement, found)


def begun_long_ago(stored: ServiceDatabase) -> None:
    """Move the log's begin before the time of the tests' clocks; nothing is sealed yet."""
    with psycopg.connect(stored.owner_url, autocommit=True) as owner:
        owner.execute("UPDATE audit_log SET at = '2000-01-01'")


async def test_payments(payment_database: ServiceDatabase) -> None:
    """An operator's action and payments without a line, states that no history leads to."""
    begun_long_ago(payment_database)
    async with opened(payment_database) as database:
        dead = (await stuck(database)).progress
        store = PostgresOperatorStore(database)
        await retry_saga(
            dead.saga_id, dead.epoch, "gone", store=store, actor=ANN, policy=POLICY, now=NOW
        )

    await planted(
        payment_database,
        PAYMENT,
        [
            ("UPDATE payments SET status = 'COMPLETED'", f"payment {dead.payment_id}"),
            ("UPDATE orders SET status = 'SUCCESS'", "order ord_"),
            (
                "INSERT INTO webhook_endpoints VALUES"
                " ('we_1', 'demo', 1, 'https://x', '{}', '', 'DELETED', now())",
                "webhook_endpoint we_1",
            ),
            (
                "INSERT INTO webhook_secrets VALUES ('we_2', 1, 'k', now(), NULL)",
                "webhook_endpoint we_2",
            ),
            (FORGET, f"saga {dead.saga_id}"),
        ],
    )
    assert await judged(payment_database, PAYMENT, THIS_YEAR + timedelta(days=3_650)) == ([], 0)


async def test_what_is_older_than_the_log_is_not_told(payment_database: ServiceDatabase) -> None:
    """It began before there was one; unless the log's first line is gone."""
    async with opened(payment_database) as database:
        await stuck(database)
    with psycopg.connect(payment_database.owner_url, autocommit=True) as owner:
        owner.execute(FORGET)
        assert await judged(payment_database, PAYMENT) == ([], 0)
        owner.execute("DELETE FROM audit_log")

    assert (await judged(payment_database, PAYMENT))[1] > 0


async def test_the_ledger(ledger_database: ServiceDatabase) -> None:
    """Accounts that nobody opened, froze or closed, and months that nobody closed."""
    begun_long_ago(ledger_database)
    name = books.SELLER
    async with opened(ledger_database) as database, books.served(database) as stub:
        account = books.wire_account(name, ledger_pb2.Account.LIABILITY)
        await stub.OpenAccounts(ledger.OpenAccountsRequest(accounts=[account]), metadata=ACTOR)
        freeze = ledger.FreezeAccountRequest(account_id=name, reason="asked to")
        await stub.FreezeAccount(freeze, metadata=ACTOR)
        month = ledger.CloseMonthRequest(month="2026-01", reason="over")
        _ = [told async for told in stub.CloseMonth(month, metadata=ACTOR)]

    await planted(
        ledger_database,
        LEDGER,
        [
            ("UPDATE accounts SET status = 'CLOSED'", f"account {name}"),
            (
                "INSERT INTO accounts SELECT (jsonb_populate_record(a, jsonb_build_object("
                "'account_id', 'nobodys', 'account_key', 99))).* FROM accounts AS a LIMIT 1",
                "account nobodys",
            ),
            (
                "INSERT INTO account_changes VALUES (1, 9, 'FROZEN', 'OPEN', 'b', 'eve', now())",
                f"account {name}",
            ),
            (
                "INSERT INTO checkpoints SELECT number + 1, until + interval '1 month', made_at,"
                " heads, transaction_count, entry_count, effective_until, balances_hash, hash"
                " FROM checkpoints ORDER BY number DESC LIMIT 1",
                "checkpoint ",
            ),
        ],
    )


async def test_wallets(wallet_database: ServiceDatabase) -> None:
    """Wallets that nobody opened, froze or gave a limit, be it when they were opened."""
    begun_long_ago(wallet_database)
    name, other = wallets.SELLER, wallets.OTHER
    async with opened(wallet_database) as database, wallets.served(database) as stub:
        asked = [wallets.wire_wallet(name), wallets.wire_wallet(other)]
        asked[1].credit_limit = "5.00"
        opening = wallet.OpenWalletsRequest(wallets=asked)
        await stub.OpenWallets(opening, metadata=ACTOR)
        freeze = wallet.FreezeWalletRequest(wallet_id=name, reason="a question")
        await stub.FreezeWallet(freeze, metadata=ACTOR)
        limit = wallet.SetCreditLimitRequest(wallet_id=name, credit_limit="9", reason="a friend")
        await stub.SetCreditLimit(limit, metadata=ACTOR)

    await planted(
        wallet_database,
        WALLET,
        [
            (
                "INSERT INTO wallet_changes VALUES"
                f" ('{wallets.SELLER}', 99, 'STATUS', 'OPEN', 'FROZEN', 'b', 'eve', now())",
                f"wallet {name}",
            ),
            ("UPDATE wallets SET status = 'CLOSED'", f"wallet {name}"),
            ("UPDATE wallets SET credit_limit = 1000 WHERE credit_limit = 9", f"wallet {name}"),
            ("UPDATE wallets SET credit_limit = 6 WHERE credit_limit = 5", f"wallet {other}"),
            (
                "INSERT INTO wallets SELECT (jsonb_populate_record(w, jsonb_build_object("
                "'wallet_id', 'nobodys'))).* FROM wallets AS w LIMIT 1",
                "wallet nobodys",
            ),
        ],
    )


async def test_one_who_opens_is_told_though_many_ask_at_once(
    ledger_database: ServiceDatabase, wallet_database: ServiceDatabase
) -> None:
    """Whoever comes second has opened nothing; nor was it with what he asked for."""
    names = [f"raced:{number}" for number in range(20)]
    async with opened(ledger_database) as database:
        ledgers = [LedgerStore(database) for _ in range(4)]
        asked = [books.new_account(name, kind) for kind in AccountType for name in names]
        await asyncio.gather(
            *(ledgers[place % 4].open_accounts([one]) for place, one in enumerate(asked))
        )
    async with opened(wallet_database) as database:
        stores = [WalletStore(database) for _ in range(4)]
        await asyncio.gather(
            *(
                stores[limit].open_wallets(
                    [NewWallet(n, "demo", "x", "USD", credit_limit=Decimal(limit)) for n in names]
                )
                for limit in range(4)
            )
        )

    for stored, query, kept in (
        (ledger_database, LEDGER, "SELECT account_id, type FROM accounts"),
        (wallet_database, WALLET, "SELECT wallet_id, credit_limit::text FROM wallets"),
    ):
        with psycopg.connect(stored.owner_url) as owner:
            told = owner.execute(
                "SELECT object_id, coalesce(after ->> 'type', (coalesce(after ->> 'credit_limit',"
                " '0')::numeric(19, 4))::text) FROM audit_log WHERE object_id LIKE 'raced:%'"
            ).fetchall()
            assert sorted(told) == sorted(owner.execute(kept).fetchall())
        assert await judged(stored, query) == ([], 0)


async def test_attempts_and_payouts(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """What persons said of an attempt, and outcomes that no trail leads to."""
    async with running_sandbox(tmp_path) as sandbox, served(psp_database, sandbox.url) as gateway:
        attempt = await attempts.unknown(gateway, sandbox, charged=True)
        await attempts.resolve(gateway, attempt)
        await gateway.settled()
    async with bank.with_bank(psp_database, tmp_path / "outbox") as gateway:
        await gateway.payouts(bank.bank_payout())
        await bank.say(gateway, bank.booked())

    await planted(
        psp_database,
        PSP,
        [
            ("UPDATE payouts SET state = 'RETURNED'", "payout "),
            (
                "UPDATE attempts SET outcome = 'DECLINED', version = version + 9",
                f"attempt {attempt.attempt_id}",
            ),
            (FORGET, f"attempt {attempt.attempt_id}"),
        ],
    )


async def test_disputes(psp_database: ServiceDatabase, tmp_path: Path) -> None:
    """An answer without a line, a dispute whose status no fact told."""
    async with running_world(psp_database, tmp_path) as world:
        found = await disputes.disputed(world.gateway)
        await disputes.submit(world.gateway, found.dispute_id)

    await planted(
        psp_database,
        PSP,
        [
            (
                "INSERT INTO dispute_requests SELECT (jsonb_populate_record(r, jsonb_build_object("
                "'request_id', 'eves', 'kind', 'ACCEPT'))).* FROM dispute_requests AS r LIMIT 1",
                f"dispute {found.dispute_id}",
            ),
            ("DELETE FROM dispute_facts", f"dispute {found.dispute_id}"),
        ],
    )


async def test_clients_of_the_edge(edge_auth_database: ServiceDatabase, redis_url: str) -> None:
    """Clients, keys, secrets and limits that nobody made, changed or revoked."""
    why = "they signed"
    async with AsyncExitStack() as stack:
        stub = (await clients.instance(stack, edge_auth_database, redis_url)).stub
        for name in ("shop", "other"):
            create = edge.CreateClientRequest(client_id=name, signing=True, reason=why)
            await stub.CreateClient(create, metadata=ACTOR)
        for kind in (edge.Credential.API_KEY, edge.Credential.SECRET):
            rotate = edge.RotateCredentialRequest(client_id="shop", kind=kind, reason=why)
            rotated = await stub.RotateCredential(rotate, metadata=ACTOR)
            credential_id = rotated.credential.credential_id
            revoke = edge.RevokeClientRequest(
                client_id="shop", credential_id=credential_id, reason=why
            )
            await stub.RevokeClient(revoke, metadata=ACTOR)
        for burst in (9, 8):
            limit = edge.SetClientLimitRequest(
                client_id="shop", requests_per_second=5, burst=burst, reason=why
            )
            await stub.SetClientLimit(limit, metadata=ACTOR)
        await stub.RevokeClient(
            edge.RevokeClientRequest(client_id="other", reason=why), metadata=ACTOR
        )

    await planted(
        edge_auth_database,
        EDGE,
        [
            ("UPDATE clients SET burst = 9 WHERE client_id = 'shop'", "client shop"),
            ("UPDATE clients SET revoked_at = now() WHERE client_id = 'shop'", "client shop"),
            (
                "INSERT INTO clients VALUES ('nobody', '', now(), '{pay}', false)",
                "client nobody",
            ),
            ("INSERT INTO api_keys VALUES ('eve', 'shop', '', now())", "key eve"),
            ("INSERT INTO signing_secrets VALUES ('evil', 'shop', '', now())", "secret evil"),
            ("UPDATE api_keys SET revoked_at = now() WHERE client_id = 'other'", "key "),
            ("UPDATE signing_secrets SET revoked_at = now() WHERE client_id = 'other'", "secret "),
            (
                "INSERT INTO client_changes VALUES (gen_random_uuid(), 'other', now(), 'eve',"
                " 'LIMITED', '', 'why not')",
                "client other",
            ),
        ],
    )


async def test_the_gauge_counts_what_is_not_logged(edge_auth_database: ServiceDatabase) -> None:
    """A job tells Prometheus of what is recent."""
    made = "INSERT INTO clients VALUES ('nobody', '', now(), '{pay}', false)"
    with psycopg.connect(edge_auth_database.owner_url, autocommit=True) as owner:
        owner.execute(made)
    async with opened(edge_auth_database) as database:
        stopping = asyncio.Event()
        running = asyncio.create_task(watching(database, EDGE, utc_now)(stopping))
        async with asyncio.timeout(30):
            while REGISTRY.get_sample_value("paymesh_audit_log_unlogged") != 1:
                await asyncio.sleep(0.01)
        stopping.set()
        await running
