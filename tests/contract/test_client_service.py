"""ClientService over real gRPC, PostgreSQL and Redis, on two instances of edge_auth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import (
    ClientServiceStub,
    add_ClientServiceServicer_to_server,
)
from redis.asyncio import Redis

from chassis.clock import utc_now
from chassis.server import make_server
from edge_auth.clients_servicer import OperatorsClientService
from edge_auth.former_seals import FormerSeals
from edge_auth.key_cache import KeyCache
from edge_auth.revision import Revision
from edge_auth.store import PostgresClientStore
from tests.conftest import opened
from tests.servers import ServiceDatabase, free_port

FORMER = FormerSeals.parse("")
ACTOR = (("x-paymesh-actor", "ada"),)


class Instance:
    """One edge_auth: its operators' service, its cache, which never ages, and its ear."""

    def __init__(self, stub: Any, keys: KeyCache, revision: Revision) -> None:
        self.stub = stub
        self.keys = keys
        self.revision = revision

    async def knows(self, key: str) -> bool:
        """Tell whether a key opens here."""
        return await self.keys.caller_of(key) is not None

    async def create(self, client_id: str = "demo", **more: Any) -> edge.CreateClientResponse:
        """Register a client."""
        request = edge.CreateClientRequest(client_id=client_id, **more)
        made: edge.CreateClientResponse = await self.stub.CreateClient(request, metadata=ACTOR)
        return made


async def instance(stack: AsyncExitStack, database: ServiceDatabase, redis_url: str) -> Instance:
    """Serve one."""
    pool = await stack.enter_async_context(opened(database))
    redis = await stack.enter_async_context(Redis.from_url(redis_url))
    store = PostgresClientStore(pool, FORMER, uuid4)
    keys = KeyCache(store, seconds=lambda: 0.0, clock=utc_now, remember_s=1)
    revision = Revision(redis, keys.forget)
    service = OperatorsClientService(store, revision, utc_now, untold_within=timedelta(seconds=5))
    server = make_server("edge.paymesh", 10, 100)
    partial(add_ClientServiceServicer_to_server, service)(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, None)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    await stack.enter_async_context(channel)
    return Instance(ClientServiceStub(channel), keys, revision)


@pytest.fixture
async def pair(
    edge_auth_database: ServiceDatabase, redis_url: str
) -> AsyncIterator[tuple[Instance, Instance]]:
    """Two instances over one database and one Redis."""
    async with AsyncExitStack() as stack:
        yield (
            await instance(stack, edge_auth_database, redis_url),
            await instance(stack, edge_auth_database, redis_url),
        )


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Make a call that is refused; answer code, reason and message."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    status = rpc_status.from_call(raised.value)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return raised.value.code(), info.reason, status.message


async def test_client_is_made_whole_and_tells_its_secrets_once(
    pair: tuple[Instance, Instance],
) -> None:
    """Key and secret are in the first answer; afterwards only their ids are known."""
    made = await pair[0].create(scopes=["payout", "read"], signing=True, reason="a partner")

    found = await pair[1].stub.GetClient(edge.GetClientRequest(client_id="demo"))

    assert list(found.client.scopes) == ["read", "payout"]
    assert found.client.signing
    assert made.api_key.split("_")[1] in str(found)
    assert made.api_key.split("_")[2] not in str(found)
    assert made.secret.split("_")[2] not in str(found)
    (change,) = found.changes
    assert (change.actor, change.action, change.reason) == (
        "unverified:ada",
        "CREATED",
        "a partner",
    )


async def test_client_without_a_word_about_scopes_moves_no_money_out(
    pair: tuple[Instance, Instance],
) -> None:
    """It reads, takes payments and keeps its webhooks."""
    assert list((await pair[0].create()).client.scopes) == ["read", "pay", "operate"]


@pytest.mark.parametrize("scope", ["refund", "payout"])
async def test_who_moves_money_out_must_sign(pair: tuple[Instance, Instance], scope: str) -> None:
    """Such a client cannot be registered as not signing; nothing is stored."""
    code, reason, message = await refused(pair[0].create(scopes=[scope]))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SIGNING_REQUIRED")
    assert "signing" in message
    assert (await pair[0].create(scopes=["read"])).api_key


@pytest.mark.parametrize("scopes", [["root"], ["read", "read"]])
async def test_scopes_that_are_none_are_refused(
    pair: tuple[Instance, Instance], scopes: list[str]
) -> None:
    """The field is named."""
    code, _, message = await refused(pair[0].create(scopes=scopes))

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "scopes" in message


async def test_rotated_key_and_old_key_both_open_on_both(
    pair: tuple[Instance, Instance],
) -> None:
    """Until the overlap is over; without one the old key is dead when its instance looks."""
    one, other = pair
    old = (await one.create()).api_key
    request = edge.RotateCredentialRequest(
        client_id="demo", kind=edge.Credential.API_KEY, reason="a year has passed"
    )
    fresh = await one.stub.RotateCredential(request, metadata=ACTOR)
    lives = [await each.knows(key) for each in pair for key in (old, fresh.value)]
    code, reason, _ = await refused(one.stub.RotateCredential(request))
    await one.stub.RevokeClient(
        edge.RevokeClientRequest(
            client_id="demo", credential_id=old.split("_")[1], reason="nobody uses it"
        )
    )
    request.overlap.FromTimedelta(timedelta())
    last = await one.stub.RotateCredential(request)
    await other.revision.look()

    assert lives == [True] * 4
    assert fresh.old_expires_at.ToDatetime() > utc_now().replace(tzinfo=None)
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ROTATION_UNDER_WAY")
    keys = (old, fresh.value, last.value)
    assert [await other.knows(key) for key in keys] == [False, False, True]


@pytest.mark.parametrize("is_whole", [True, False])
async def test_revoked_key_is_dead_on_every_instance_once_it_has_looked(
    pair: tuple[Instance, Instance], *, is_whole: bool
) -> None:
    """The caches here never age: it is the revision in Redis that tells."""
    one, other = pair
    key = (await one.create()).api_key
    await other.revision.look()
    assert [await each.knows(key) for each in pair] == [True, True]

    answer = await one.stub.RevokeClient(
        edge.RevokeClientRequest(
            client_id="demo",
            credential_id="" if is_whole else key.split("_")[1],
            reason="it leaked",
        ),
        metadata=ACTOR,
    )
    here, before = await one.knows(key), await other.knows(key)
    await other.revision.look()

    assert (here, before, await other.knows(key)) == (False, True, False)
    assert answer.effective_within.ToTimedelta() < timedelta(seconds=1)
    assert answer.client.HasField("revoked_at") is is_whole


async def test_without_redis_a_revocation_stands_and_tells_how_long_it_takes(
    edge_auth_database: ServiceDatabase,
) -> None:
    """It is in the database at once; other instances find out when their memory ends."""
    async with AsyncExitStack() as stack:
        alone = await instance(stack, edge_auth_database, f"redis://127.0.0.1:{free_port()}/0")
        key = (await alone.create()).api_key
        answer = await alone.stub.RevokeClient(
            edge.RevokeClientRequest(client_id="demo", reason="it leaked")
        )

        assert not await alone.knows(key)
        assert answer.effective_within.ToTimedelta() == timedelta(seconds=5)


async def test_change_needs_a_reason(pair: tuple[Instance, Instance]) -> None:
    """Rotating, revoking and limiting without one is refused by the field."""
    await pair[0].create()
    stub = pair[0].stub
    for call in (
        stub.RevokeClient(edge.RevokeClientRequest(client_id="demo")),
        stub.SetClientLimit(edge.SetClientLimitRequest(client_id="demo")),
        stub.RotateCredential(
            edge.RotateCredentialRequest(client_id="demo", kind=edge.Credential.SECRET)
        ),
    ):
        code, _, message = await refused(call)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "reason" in message


async def test_limit_reaches_the_next_request(pair: tuple[Instance, Instance]) -> None:
    """Set on one instance, it is known on both; absent it is the default again."""
    one, other = pair
    key = (await one.create()).api_key
    assert await other.knows(key)
    limit = edge.SetClientLimitRequest(
        client_id="demo", requests_per_second=7, burst=9, reason="a sale"
    )

    limited = (await one.stub.SetClientLimit(limit)).client
    await other.revision.look()
    caller = await other.keys.caller_of(key)

    assert (limited.requests_per_second, limited.burst) == (7, 9)
    assert caller is not None
    assert (caller.client.requests_per_second, caller.client.burst) == (7, 9)
    back = edge.SetClientLimitRequest(client_id="demo", reason="over")
    assert not (await one.stub.SetClientLimit(back)).client.HasField("requests_per_second")


async def test_pages_hold_each_client_once(pair: tuple[Instance, Instance]) -> None:
    """A page names the next, the last one none."""
    await asyncio.gather(*(pair[n % 2].create(f"client-{n}") for n in range(5)))
    seen, token, sizes = [], "", []
    while True:
        page = await pair[0].stub.ListClients(
            edge.ListClientsRequest(page_size=2, page_token=token)
        )
        seen += [client.client_id for client in page.clients]
        sizes.append(len(page.clients))
        token = page.next_page_token
        if not token:
            break

    assert seen == [f"client-{n}" for n in range(5)]
    assert sizes == [2, 2, 1]
