"""risk_svc: settings, wiring, serve."""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.risk.v1.risk_service_pb2_grpc import add_RiskServiceServicer_to_server
from redis.asyncio import Redis

from chassis.clock import utc_now
from chassis.database import Database
from chassis.server import Wiring, main
from chassis.settings import Environment, ServerSettings
from risk_svc.counter import RedisAttemptCounter
from risk_svc.servicer import RiskAssessor
from risk_svc.settings import RiskSettings
from risk_svc.store import PostgresAssessmentStore

_REDIS_TIMEOUT_S = 2.0


async def build(server: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service."""
    settings = RiskSettings.read(environment, server)
    database = Database(settings.database_url, connections=settings.database_connections)
    await database.open()
    stack.push_async_callback(database.close)
    redis = Redis.from_url(
        settings.redis_url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S
    )
    stack.push_async_callback(redis.aclose)
    assessor = RiskAssessor(
        PostgresAssessmentStore(database),
        RedisAttemptCounter(redis, settings.subject_key),
        limits=settings.limits,
        clock=utc_now,
    )
    return Wiring(
        register=(partial(add_RiskServiceServicer_to_server, assessor),),
        names=("paymesh.risk.v1.RiskService",),
    )


if __name__ == "__main__":
    main("risk_svc", "risk.paymesh", build)
