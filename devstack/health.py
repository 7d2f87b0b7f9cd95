"""Gates: each returns once a part of the stack is ready, and never before."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PAUSE_S = 0.05


async def serving(target: str) -> None:
    """Wait until a gRPC service says SERVING."""
    import grpc

    direct = (("grpc.enable_http_proxy", 0),)
    while True:
        async with grpc.aio.insecure_channel(target, options=direct) as channel:
            if await says_serving(channel):
                return
        await asyncio.sleep(_PAUSE_S)


async def is_serving(stack: Mapping[str, Any], service: str) -> bool:
    """Ask a service of a running stack once whether it is SERVING."""
    from devstack.reach import SERVICE_HEADER, operator_channel

    async with operator_channel(stack, service) as channel:
        return await says_serving(channel, ((SERVICE_HEADER, service),))


async def says_serving(channel: Any, metadata: Sequence[tuple[str, str]] = ()) -> bool:
    """Ask over a channel once."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest()
    try:
        answer: Any = await stub.Check(request, timeout=3.0, metadata=metadata)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def envoy_ready(admin: str, *, with_upstreams: bool = False) -> None:
    """Wait until an Envoy serves, `with_upstreams` until all are healthy whom it calls.

    `admin` is where its own interface is, `host:port` or `unix:/path`.
    """
    import aiohttp

    is_unix = admin.startswith("unix:")
    url = f"http://{'envoy' if is_unix else admin}"
    while True:
        connector = aiohttp.UnixConnector(admin.removeprefix("unix:")) if is_unix else None
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                async with session.get(f"{url}/ready") as ready:
                    is_live = ready.status == 200
                async with session.get(f"{url}/clusters?format=json") as answer:
                    hosts = _hosts(await answer.json(content_type=None))
            if is_live and (not with_upstreams or all(map(_is_healthy, hosts))):
                return
        except (aiohttp.ClientError, OSError, ValueError):
            pass
        await asyncio.sleep(_PAUSE_S)


def _hosts(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for cluster in told.get("cluster_statuses", ()):
        yield from cluster.get("host_statuses", ())


def _is_healthy(host: Mapping[str, Any]) -> bool:
    """Tell whether no check of health has failed, or is still to come."""
    health = host["health_status"]
    return not {"failed_active_health_check", "pending_active_hc"} & set(health)


async def url_ready(url: str) -> None:
    """Wait until a URL answers 200."""
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_PAUSE_S)


async def redis_ready(url: str) -> None:
    """Wait until Redis answers."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    async with Redis.from_url(url) as redis:
        while True:
            try:
                await redis.ping()
                return
            except (RedisError, OSError):
                await asyncio.sleep(_PAUSE_S)
