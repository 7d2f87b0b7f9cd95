"""Serves risk: `python -m risk_svc`."""

from contextlib import AsyncExitStack
from functools import partial

from paymesh.risk.v1 import risk_service_pb2 as service
from paymesh.risk.v1.risk_service_pb2_grpc import add_RiskServiceServicer_to_server

from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from chassis.redis_client import open_redis
from chassis.server import Wiring, main
from chassis.settings import Environment, ServerSettings
from risk_svc.counter import RedisAttemptCounter
from risk_svc.servicer import RiskAssessor
from risk_svc.settings import RiskSettings
from risk_svc.store import PostgresAssessmentStore


async def build(server: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service to its database and to Redis, which need not answer yet.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = RiskSettings.read(environment, server)
    faults = FaultPoints.parse(server.fault_points, server.environment)
    # A second try counts no payment twice; any other is the caller's, who has a deadline.
    redis = open_redis(settings.redis_url, settings.redis_timeout_s)
    stack.push_async_callback(redis.aclose)
    database = Database(settings.database_url.reveal(), connections=settings.database_connections)
    stack.push_async_callback(database.close)
    await database.open()
    assessor = RiskAssessor(
        PostgresAssessmentStore(database),
        RedisAttemptCounter(
            redis, settings.subject_key.reveal(), kept_max=settings.attempts_kept_max
        ),
        limits=settings.limits,
        clock=utc_now,
        faults=faults,
    )
    return Wiring(
        register=[partial(add_RiskServiceServicer_to_server, assessor)],
        names=[service.DESCRIPTOR.services_by_name["RiskService"].full_name],
    )


if __name__ == "__main__":
    main("risk_svc", "risk.paymesh", build)
