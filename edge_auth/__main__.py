"""edge_auth: settings, wiring, serve."""

import time
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from uuid import uuid4

from ext_authz.external_auth_pb2_grpc import add_AuthorizationServicer_to_server
from paymesh.edge.v1.client_service_pb2_grpc import add_ClientServiceServicer_to_server
from redis.asyncio import Redis

from audit_log.wiring import with_audit_log
from chassis.clock import utc_now
from chassis.data_keys import learning
from chassis.database import Database
from chassis.encryption import Keyring
from chassis.redis_client import open_redis
from chassis.server import Wiring, main, repeat
from chassis.settings import Environment, ServerSettings
from edge_auth.clients_servicer import OperatorsClientService
from edge_auth.domain.buckets import Buckets
from edge_auth.key_cache import KeyCache
from edge_auth.queue_sign import QueueSign
from edge_auth.revision import POLL_S, Revision
from edge_auth.routes import Routes
from edge_auth.servicer import EdgeAuthorization
from edge_auth.settings import EdgeAuthSettings
from edge_auth.store import PostgresClientStore
from edge_auth.turnstile import LocalTurnstile, RedisTurnstile
from edge_auth.unlogged import UNLOGGED
from edge_auth.use_cases.check_request import Door


async def build(server: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service to its database, and to Redis, which need not answer yet."""
    settings = EdgeAuthSettings.read(environment, server)
    database = Database(
        settings.database_url.reveal(),
        connections=settings.database_connections,
        keyring=Keyring("edge_auth", settings.keys),
    )
    await database.open()
    stack.push_async_callback(database.close)
    # Impatient: nothing at the door waits for it, and nothing is asked twice.
    redis = open_redis(settings.redis_url, settings.redis_timeout_s, retries=0)
    stack.push_async_callback(redis.aclose)
    store = PostgresClientStore(database, settings.former, uuid4)
    keys = KeyCache(store, seconds=time.monotonic, clock=utc_now, remember_s=settings.cache_s)
    revision = Revision(redis, keys.forget)
    passes = Buckets(time.monotonic)
    sign = QueueSign(redis, passes, settings.queue_full_passes_per_second)
    operators = OperatorsClientService(
        store,
        revision,
        utc_now,
        untold_within=timedelta(seconds=settings.cache_s),
        is_unsigned_money_out=settings.is_unsigned_money_out,
    )
    wiring = Wiring(
        register=(
            partial(
                add_AuthorizationServicer_to_server,
                EdgeAuthorization(_door(settings, keys, redis, sign)),
            ),
            partial(add_ClientServiceServicer_to_server, operators),
        ),
        names=("envoy.service.auth.v3.Authorization", "paymesh.edge.v1.ClientService"),
        jobs=(
            lambda stopping: repeat("revision", revision.look, stopping, pause_s=POLL_S),
            sign.watch(),
            learning(database),
        ),
    )
    return with_audit_log(wiring, database, UNLOGGED)


def _door(settings: EdgeAuthSettings, keys: KeyCache, redis: Redis, sign: QueueSign) -> Door:
    routes = Routes()
    return Door(
        caller_of=keys.caller_of,
        rpc_of=routes.rpc_of,
        shape_of=routes.shape_of,
        texts_of=routes.texts_of,
        turnstile=RedisTurnstile(redis, LocalTurnstile(time.monotonic), time.monotonic),
        rates=settings.rates,
        clock=utc_now,
        is_unsigned_money_out=settings.is_unsigned_money_out,
        queue_wait=sign.wait_s,
    )


if __name__ == "__main__":
    main("edge_auth", "edge.paymesh", build)
