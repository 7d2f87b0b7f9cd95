"""Gates: each returns once a part of the stack is ready, and never before."""

import asyncio
from typing import Any

_PAUSE_S = 0.05


async def serving(target: str) -> None:
    """Wait until a gRPC service says SERVING."""
    while not await is_serving(target):
        await asyncio.sleep(_PAUSE_S)


async def is_serving(target: str) -> bool:
    """Ask a gRPC service once whether it is SERVING."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    direct = (("grpc.enable_http_proxy", 0),)
    async with grpc.aio.insecure_channel(target, options=direct) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        try:
            answer: Any = await stub.Check(request, timeout=1.0)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


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
