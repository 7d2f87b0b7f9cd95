"""A service as it is deployed: a process of its own, told everything by its environment."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.servers import free_port

DEADLINE_S = 60


@contextmanager
def running(
    service: str, settings: dict[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run a service and wait until it serves; answer its process and address. It is killed."""
    address = f"127.0.0.1:{free_port()}"
    told = {"LISTEN": address, "ENVIRONMENT": "development", **settings}
    process = subprocess.Popen([sys.executable, "-m", service], env={**os.environ, **told})
    try:
        _await_serving(address)
        yield process, address
    finally:
        process.kill()
        process.wait(DEADLINE_S)


def _await_serving(address: str) -> None:
    """Ask for the health until it is SERVING."""
    deadline = time.monotonic() + DEADLINE_S
    with grpc.insecure_channel(address) as channel:
        ask = health_pb2_grpc.HealthStub(channel).Check
        while True:
            try:
                answer = ask(health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                assert time.monotonic() < deadline
