"""edge_auth: settings, wiring, serve."""

import time
from contextlib import AsyncExitStack
from functools import partial

from ext_authz.external_auth_pb2_grpc import add_AuthorizationServicer_to_server
from paymesh.edge.v1.client_service_pb2_grpc import add_ClientServiceServicer_to_server
from redis.asyncio import Redis

from audit_log import sealer as audit_sealer
from audit_log import servicer as audit_log
from chassis.clock import utc_now
from chassis.database import Database
from chassis.server import Wiring, main
from chassis.settings import Environment, ServerSettings
from edge_auth.clients_servicer import OperatorsClientService
from edge_auth.domain.buckets import Buckets
from edge_auth.key_cache import KeyCache
from edge_auth.queue_sign import QueueSign
from edge_auth.routes import Routes
from edge_auth.servicer import EdgeAuthorization
from edge_auth.settings import EdgeAuthSettings
from edge_auth.store import PostgresClientStore
from edge_auth.use_cases.check_request import in_at_once

_STRANGER_BURST = 100


async def build(_: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service."""
    settings = EdgeAuthSettings.read(environment)
    database = Database(settings.database_url, connections=settings.database_connections)
    await database.open()
    stack.push_async_callback(database.close)
    store = PostgresClientStore(database)
    keys = KeyCache(store, seconds=time.monotonic, remember_s=settings.cache_s)
    clients = Buckets(settings.client_per_second, settings.client_burst, time.monotonic)
    strangers = Buckets(settings.stranger_per_second, _STRANGER_BURST, time.monotonic)
    sign = _queue_sign(settings, stack)
    door = EdgeAuthorization(
        keys,
        Routes(),
        clients=clients,
        strangers=strangers,
        queue_wait=sign.wait_s if sign else in_at_once,
    )
    return Wiring(
        register=(
            partial(add_AuthorizationServicer_to_server, door),
            partial(add_ClientServiceServicer_to_server, OperatorsClientService(store, utc_now)),
            audit_log.serving(database),
        ),
        names=(
            "envoy.service.auth.v3.Authorization",
            "paymesh.edge.v1.ClientService",
            audit_log.NAME,
        ),
        jobs=[audit_sealer.sealing(database), *([sign.watch()] if sign else [])],
    )


def _queue_sign(settings: EdgeAuthSettings, stack: AsyncExitStack) -> QueueSign | None:
    if not settings.redis_url:
        return None
    redis = Redis.from_url(settings.redis_url, decode_responses=True)
    stack.push_async_callback(redis.aclose)
    passes = Buckets(settings.queue_full_passes_per_second, 1, time.monotonic)
    return QueueSign(redis, passes)


if __name__ == "__main__":
    main("edge_auth", "edge.paymesh", build)
