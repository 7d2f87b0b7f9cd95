"""The running mesh: it pays, changes its certificates under load, and outlives its parts."""

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import psutil
import pytest
from click.testing import CliRunner
from cryptography import x509
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from devstack.cli import main
from devstack.mesh.certificates import Certificates, utc_now
from devstack.reach import operator_channel
from devstack.rest import RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import Stack
from devstack.state import State
from devstack.trail import Operator
from tests.e2e.mesh_doors import DEADLINE_S, client, door, eventually, log_lines

PAID = 5  # payments after each rotation


@pytest.fixture
def certificates(mesh_state: State) -> Certificates:
    """The mesh's certificates."""
    return Certificates(mesh_state.certificates)


@pytest.fixture
async def mesh_rest(mesh_stack: dict[str, Any]) -> AsyncIterator[RestClient]:
    """The public API of the mesh."""
    async with RestClient(mesh_stack["edge"]["url"], mesh_stack["client"]["api_key"]) as client:
        yield client


def test_a_mesh_becomes_ready_and_says_in_how_long(
    mesh_stack: dict[str, Any],
    mesh_state: State,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    """Every service and Envoy is up, and the log has the seconds. They are told in the report of
    the run, and held to nothing.
    """
    said = re.findall(r"^ready in (\d+\.\d) s: ", mesh_state.log("supervisor").read_text(), re.M)
    sidecars = {f"{service.name}.sidecar" for service in SERVICES}

    assert said
    record_testsuite_property("mesh_ready_s", said[0])
    assert sidecars <= mesh_stack["processes"].keys()
    assert all(part["healthy"] for part in mesh_stack["processes"].values())


async def test_a_payment_goes_through_the_whole_mesh(
    mesh_stack: dict[str, Any], mesh_rest: RestClient, mesh_state: State
) -> None:
    """It completes, access logs name who called whom at every hop, and the books are right."""
    created = await mesh_rest.create(specification_request(f"mesh-{uuid4()}"))
    payment = await mesh_rest.until_final(created.body["payment_id"], timeout_s=DEADLINE_S)

    assert payment["status"] == "COMPLETED"
    hops = {
        ("payment_svc", "edge", "PaymentService/CreatePayment"),
        ("risk_svc", "payment_svc", "RiskService/AssessPayments"),
        ("psp_gateway", "payment_svc", "PspGatewayService/ExecuteCharges"),
        ("wallet_svc", "payment_svc", "WalletService/ApplyOperations"),
        ("ledger_svc", "payment_svc", "LedgerService/PostTransactions"),
    }
    await eventually(lambda: hops <= set(seen(mesh_state)))
    async with Operator(mesh_stack) as operator:
        trail = await operator.trail(payment["payment_id"])
    assert trail.trial_balance[0]["difference"] == "0.00"


def seen(state: State) -> list[tuple[str, str, str]]:
    """List what every sidecar wrote down of good calls: service, caller, method."""
    return [
        (s.name, line["caller"].rpartition("/")[2], line["path"].rpartition(".")[2])
        for s in SERVICES
        for line in log_lines(state, s.name)
        if line["grpc_status"] == "OK" and line["tls"] == "TLSv1.3"
    ]


async def test_certificates_change_without_restart_or_failed_call(
    mesh_stack: dict[str, Any], mesh_rest: RestClient, certificates: Certificates
) -> None:
    """Under payments and reads every new connection meets the new certificate; none fails."""
    stopping, paid = asyncio.Event(), []
    before = pids(mesh_stack)

    async def pay_on() -> None:
        while not stopping.is_set():
            created = await mesh_rest.create(specification_request(f"rotating-{uuid4()}"))
            assert created.status == 200, created.body
            payment = await mesh_rest.until_final(created.body["payment_id"], timeout_s=DEADLINE_S)
            paid.append(payment["status"])

    async def read_on() -> None:
        while not stopping.is_set():
            async with Operator(mesh_stack) as operator:  # connects anew each time
                assert await operator.trial_balance()

    working = [asyncio.create_task(work()) for work in (pay_on, pay_on, read_on)]
    try:
        for _ in range(3):
            made = {each.name: each.serial for each in certificates.rotate([], utc_now())}
            for service in SERVICES:
                address = door(mesh_stack, service.name)
                await eventually(
                    lambda a=address, s=made[service.name]: serial(a, certificates) == s
                )
            wanted = len(paid) + PAID
            await eventually(lambda n=wanted: len(paid) >= n)
    finally:
        stopping.set()
        await asyncio.gather(*working)

    assert set(paid) == {"COMPLETED"}
    assert pids(mesh_stack) == before


def serial(address: tuple[str, int], certificates: Certificates) -> str:
    """Connect and tell the serial number of the certificate that is shown."""
    with socket.create_connection(address, timeout=DEADLINE_S) as plain:
        with client(certificates.workload("edge")).wrap_socket(plain) as stream:
            shown = stream.getpeercert(binary_form=True)
    return f"{x509.load_der_x509_certificate(shown or b'').serial_number:x}"


def pids(stack: Mapping[str, Any]) -> Mapping[str, int]:
    """Tell every process of the mesh."""
    parts = {**stack["services"], **stack["processes"]}
    return {name: part["pid"] for name, part in parts.items() if psutil.pid_exists(part["pid"])}


@pytest.mark.parametrize("name", ["payment_svc.sidecar", "ledger_svc", "edge"])
async def test_a_part_of_the_mesh_may_die(
    mesh_state: State, mesh_stack: dict[str, Any], name: str
) -> None:
    """It is back on its socket and port, and the next payment completes."""
    running = Stack(mesh_state, mesh_stack)
    pid = running.kill(name)
    await asyncio.to_thread(running.wait_healthy, name, not_pid=pid)

    async with RestClient(mesh_stack["edge"]["url"], mesh_stack["client"]["api_key"]) as rest:
        async with asyncio.timeout(DEADLINE_S):
            while (
                created := await rest.create(specification_request(f"after-{pid}"))
            ).status != 200:
                assert created.status in (503, 504), created.body
                await asyncio.sleep(0.05)
        payment = await rest.until_final(created.body["payment_id"], timeout_s=DEADLINE_S)

    assert payment["status"] == "COMPLETED"


async def test_faults_are_made_for_who_asks_for_them(mesh_stack: dict[str, Any]) -> None:
    """In development, inside alone: an operator may, a client of the edge may not."""
    fault = (("x-envoy-fault-abort-grpc-request", "8"),)
    async with operator_channel(mesh_stack, "ledger_svc") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as aborted:
            await LedgerServiceStub(channel).GetTrialBalance(
                ledger.GetTrialBalanceRequest(), metadata=fault, timeout=30
            )
    headers = {"Authorization": f"Bearer {mesh_stack['client']['api_key']}", **dict(fault)}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(mesh_stack["edge"]["url"] + "/v1/payments/pay_0") as answer:
            status = answer.status

    assert aborted.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status == 404


def test_commands_work_on_a_mesh(mesh_state: State, mesh_stack: dict[str, Any]) -> None:
    """As they do without: they come in by the operators' listener."""

    def run(*arguments: str) -> str:
        told = ["--state", str(mesh_state.folder)]
        shown = CliRunner().invoke(main, [*arguments, *told], catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        return shown.output

    payment_id = run("pay").split()[0]
    deadline = time.monotonic() + DEADLINE_S
    explain = ("explain", payment_id, "--json")
    while (story := json.loads(run(*explain)))["outlook"]["waits_for"] != "NOTHING":
        assert time.monotonic() < deadline, story
    assert story["payment"]["status"] == "COMPLETED"
    assert all(verdict["holds"] for verdict in story["invariants"])
    assert not story["gaps"]
    while "NOT HEALTHY" in (shown := run("status")):  # who takes long to answer is taken for ill
        assert time.monotonic() < deadline, shown
    assert "healthy" in shown
    assert json.loads(run("dlq", "list", "--json"))["sagas"] == []
    assert "USD" in run("ledger", "trial-balance")
    assert "sound" in run("ledger", "verify")
    assert "clean" in run("audit", "--without-psp-record")
    assert "demo" in run("client", "show", "demo")
    assert mesh_stack["operators"]["target"].startswith("127.0.0.1:")
