"""What a cluster asks of a pod: a real Envoy with the committed configuration and arguments of a
service, its paths moved into a folder, and a stand-in for the service behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import yaml
from grpc_health.v1 import _async, health_pb2, health_pb2_grpc
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from devstack.envoy import binary
from devstack.health import envoy_ready, says_serving
from devstack.k8s import manifests
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.drain import ask, drain
from devstack.processes import Recipe, start
from devstack.state import reachable_folder
from tests.servers import free_port


@dataclass(frozen=True, slots=True)
class Pod:
    """A service's Envoy that runs, and the health of what is behind it."""

    probes: str
    admin: str
    health: Any


def of_kind(kind: str) -> Mapping[str, Any]:
    """Read a committed manifest of the ledger."""
    documents = yaml.load_all((manifests.FOLDER / "ledger-svc.yaml").read_text(), yaml.CSafeLoader)
    (found,) = (document for document in documents if document["kind"] == kind)
    return dict(found)


def recipe(configuration: Path) -> Recipe:
    """Start Envoy as the pod does."""
    (sidecar,) = of_kind("Deployment")["spec"]["template"]["spec"]["initContainers"]
    assert sidecar["args"][:2] == ["-c", "/etc/envoy/envoy.yaml"]
    return Recipe("pod", [str(binary()), "-c", str(configuration), *sidecar["args"][2:]])


def moved(folder: Path, probes: int) -> Path:
    """Write it below a folder, with ports that are free."""
    made = Certificates(folder / "made")
    made.init(utc_now())
    places = {
        "/etc/envoy": folder / "etc",
        "/run/paymesh": folder,
        "/etc/certificates/ledger-svc": made.workload("ledger_svc"),
        "/dev/stdout": folder / "access.log",
        "0.0.0.0": "127.0.0.1",
        "port_value: 15443": f"port_value: {free_port()}",
        "port_value: 15021": f"port_value: {probes}",
    }
    for key, text in of_kind("ConfigMap")["data"].items():
        name = key.replace("ledger-svc.", "ledger-svc/")
        for old, new in places.items():
            text = text.replace(old, str(new))
        (folder / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "etc" / name).write_text(text)
    return folder / "etc" / "envoy.yaml"


@asynccontextmanager
async def running() -> AsyncIterator[Pod]:
    """Run the Envoy and the stand-in."""
    with reachable_folder("pod-") as folder:
        server = grpc.aio.server()
        health = _async.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        server.add_insecure_port(f"unix:{folder}/service.sock")
        await server.start()
        port = free_port()
        child = await start(recipe(moved(folder, port)), folder / "pod.log")
        try:
            async with asyncio.timeout(60):
                await envoy_ready(f"unix:{folder}/admin.sock")
            yield Pod(f"127.0.0.1:{port}", f"{folder}/admin.sock", health)
        finally:
            await child.stop()
            await server.stop(None)


async def got(pod: Pod, path: str, method: str = "GET") -> int:
    """Ask by HTTP/1.1, as the kubelet does."""
    async with aiohttp.ClientSession() as session:
        async with session.request(method, f"http://{pod.probes}{path}") as answer:
            return answer.status


async def test_the_kubelet_is_told_and_nobody_can_do_more() -> None:
    """Readiness and numbers of Envoy, health of the service; no other method, no other path of the
    admin interface, however written.
    """
    async with running() as pod, grpc.aio.insecure_channel(pod.probes) as channel:
        assert await got(pod, "/ready") == 200
        assert await got(pod, "/stats/prometheus") == 200
        for path in ("/quitquitquit", "/config_dump", "/", "/ready/../quitquitquit", "/ready%2f.."):
            assert await got(pod, path) in (400, 404), path
        assert await got(pod, "/quitquitquit", "POST") == await got(pod, "/ready", "POST") == 404

        await pod.health.set("", health_pb2.HealthCheckResponse.SERVING)
        assert await says_serving(channel)
        await pod.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert not await says_serving(channel)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await LedgerServiceStub(channel).GetTrialBalance(
                ledger.GetTrialBalanceRequest(), timeout=30
            )
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_envoy_that_drains_says_so_and_stays_until_it_is_done() -> None:
    """It is asked, counts what is under way, and goes on serving whom it has."""
    async with running() as pod:
        done = await asyncio.to_thread(drain, pod.admin, 0.0, 30.0)

        assert done
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{pod.probes}/ready") as answer:
                assert (answer.status, answer.headers["connection"]) == (200, "close")
        with pytest.raises(OSError, match="404"):
            await asyncio.to_thread(ask, pod.admin, "GET", "/nothing")
