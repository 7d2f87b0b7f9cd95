"""Runs a service: gRPC on uvloop with health and reflection, jobs, and a drain on SIGTERM."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
import uvloop
from grpc_health.v1 import _async, health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.errors import PaymeshError
from chassis.interceptors import Gate
from chassis.settings import Environment, ServerSettings, SettingsError
from chassis.telemetry import configure_logging, logger, serve_metrics

_MESSAGE_BYTES_MAX = 16 * 1024 * 1024

Job = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Register = Callable[[grpc.aio.Server], None]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a service serves (`add_…_to_server` bound to its servicer, and the full names) and what
    it runs beside.
    """

    register: Sequence[Register]
    names: Sequence[str]
    jobs: Sequence[Job] = field(default_factory=tuple)


Build = Callable[[ServerSettings, Environment, AsyncExitStack], Awaitable[Wiring]]


def main(service: str, domain: str, build: Build) -> None:
    """Read the settings, build the service, serve until SIGTERM or SIGINT; exit 2 when it cannot
    start.

    Args:
        service: its folder's name.
        domain: of its errors, such as "ledger.paymesh".
        build: wires the service; what it opens goes on the exit stack.
    """
    environment = Environment()
    try:
        settings = ServerSettings.read(environment, service)
        configure_logging(service, settings.log_level)
        uvloop.run(_serve(settings, environment, domain, build))
    except (SettingsError, PaymeshError, OSError) as error:
        print(f"{service}: {error}", file=sys.stderr)  # noqa: T201 - before logs exist
        sys.exit(2)


async def _serve(
    settings: ServerSettings, environment: Environment, domain: str, build: Build
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        wiring = await build(settings, environment, stack)
        server = make_server(domain, settings.request_timeout_s, settings.rpc_count_max)
        status = add_wiring(server, wiring, with_reflection=not settings.is_production)
        if server.add_insecure_port(settings.listen) == 0:
            raise OSError(f"cannot listen on {settings.listen}")
        serve_metrics(settings.metrics_listen)
        await server.start()
        await status.set("", health_pb2.HealthCheckResponse.SERVING)
        _calm_collector()
        jobs = [asyncio.create_task(job(stopping)) for job in wiring.jobs]
        logger().info("serving", address=settings.listen)
        try:
            await _until_stopped(stopping, jobs)
        finally:
            stopping.set()  # a cancellation alone may be lost: a pool that closes answers instead
            await status.enter_graceful_shutdown()
            await asyncio.gather(server.stop(settings.drain_s), _end(jobs, settings.drain_s))
    logger().info("stopped")


def _calm_collector() -> None:
    """Take what start-up made out of the garbage collector's rounds, and have fewer of them.

    A request's objects end by reference counting; cycles are rare and can wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def make_server(domain: str, timeout_s: float, rpc_count_max: int) -> grpc.aio.Server:
    """Make a server with the gate that every service has."""
    return grpc.aio.server(
        interceptors=[Gate(domain, timeout_s)],
        maximum_concurrent_rpcs=rpc_count_max,
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
            # Else gRPC cancels what waits to be let in, before we can say RESOURCE_EXHAUSTED.
            ("grpc.server.max_pending_requests", 4 * rpc_count_max),
            ("grpc.server.max_pending_requests_hard_limit", 8 * rpc_count_max),
            ("grpc.so_reuseport", 0),  # two processes must not share a port by accident
        ],
    )


def add_wiring(server: grpc.aio.Server, wiring: Wiring, *, with_reflection: bool) -> Any:
    """Register the services, their health, and reflection; answer the health servicer, not serving
    yet.
    """
    for register in wiring.register:
        register(server)
    status = _async.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    if with_reflection:
        names = (*wiring.names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    return status


async def _until_stopped(stopping: asyncio.Event, jobs: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for the signal. A job never ends by itself: one that does has failed, and takes the
    service down.
    """
    waiter = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([waiter, *jobs], return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    for task in done - {waiter}:
        if not stopping.is_set():
            logger().error("job_ended", error=task.exception())
            raise PaymeshError("a background job ended")


async def _end(jobs: Sequence["asyncio.Task[None]"], patience_s: float) -> None:
    if jobs:
        _, pending = await asyncio.wait(jobs, timeout=patience_s)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def repeat(
    name: str,
    work: Callable[[], Awaitable[bool]],
    stopping: asyncio.Event,
    *,
    pause_s: float,
    wake: asyncio.Event | None = None,
    once: bool = False,
) -> None:
    """Run `work` again and again until `stopping`: at once while it answers True, else after
    `pause_s` or `wake`; `once`: until it has succeeded.

    An error is logged and waited out, never the end of the loop.
    """
    log = logger()
    while not stopping.is_set():
        if wake is not None:
            wake.clear()
        try:
            if await work():
                continue
            if once:
                return
        except Exception as error:  # noqa: BLE001 - a loop must outlive any failure
            log.warning("job_failed", operation=name, error=error)
        await _pause(stopping, wake, pause_s)


async def _pause(stopping: asyncio.Event, wake: asyncio.Event | None, pause_s: float) -> None:
    events = [stopping] if wake is None else [stopping, wake]
    tasks = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(tasks, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
