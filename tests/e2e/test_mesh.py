"""The running mesh: who gets in, how certificates change under load, and what may be forged."""

import asyncio
import json
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import psutil
import pytest
from click.testing import CliRunner
from cryptography import x509
from paymesh.ledger.v1 import ledger_pb2, posting_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from devstack.cli import main
from devstack.mesh.certificates import Certificates, system_user, utc_now
from devstack.reach import operator_channel
from devstack.rest import RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import Stack
from devstack.state import State, reachable_folder
from devstack.trail import Operator
from tests.mesh_callers import is_let_in, mesh_callers

DEADLINE_S = 60
PAID = 5  # payments after each rotation
DOORS = (*(service.name for service in SERVICES), "operators")
OPERATOR = f"spiffe://paymesh.local/operator/{system_user()}"


@pytest.fixture
def certificates(mesh_state: State) -> Certificates:
    """The mesh's certificates."""
    return Certificates(mesh_state.certificates)


@pytest.fixture
async def mesh_rest(mesh_stack: dict[str, Any]) -> AsyncIterator[RestClient]:
    """The public API of the mesh."""
    async with RestClient(mesh_stack["edge"]["url"], mesh_stack["client"]["api_key"]) as client:
        yield client


def door(stack: Mapping[str, Any], name: str) -> tuple[str, int]:
    """Tell where a service's sidecar, or the operators' listener, lets others in."""
    target = stack["operators" if name == "operators" else "services"]
    host, _, port = (target["target"] if name == "operators" else target[name]["grpc"]).partition(
        ":"
    )
    return host, int(port)


def own(certificates: Certificates, name: str) -> Path:
    """Tell whose certificate a door lets in."""
    is_for_people = name == "operators"
    return certificates.operator(system_user()) if is_for_people else certificates.workload("edge")


def client(folder: Path | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Make a TLS client of one version with a certificate, or with none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if folder is not None:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def speaks(address: tuple[str, int], context: ssl.SSLContext | None) -> bool:
    """Begin HTTP/2 and tell whether the other side does; an empty `context` is no TLS at all."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    try:
        with socket.create_connection(address, timeout=10) as plain:
            with context.wrap_socket(plain) if context else nullcontext(plain) as stream:
                stream.sendall(preface)
                return stream.recv(9)[3:4] == b"\4"  # its SETTINGS
    except (ssl.SSLError, ConnectionError):
        return False


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(is_so):  # it may read files, or connect
            await asyncio.sleep(0.05)


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


def log_lines(state: State, service: str) -> list[dict[str, Any]]:
    """Read the access log of a sidecar, what came in."""
    lines = state.log(f"{service}.sidecar-access").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["way"] == "in"]


def seen(state: State) -> list[tuple[str, str, str]]:
    """List what every sidecar wrote down of good calls: service, caller, method."""
    return [
        (s.name, line["caller"].rpartition("/")[2], line["path"].rpartition(".")[2])
        for s in SERVICES
        for line in log_lines(state, s.name)
        if line["grpc_status"] == "OK" and line["tls"] == "TLSv1.3"
    ]


def test_services_listen_on_unix_sockets_alone(mesh_stack: dict[str, Any]) -> None:
    """But for metrics: who has no certificate finds nothing to talk to on loopback."""
    for name, entry in mesh_stack["services"].items():
        metrics = int(re.findall(r":(\d+)/", entry["metrics"])[0])
        listening = {
            connection.laddr.port
            for connection in psutil.Process(entry["pid"]).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {metrics}, name


def test_nobody_else_enters_the_folder_of_sockets(mesh_state: State) -> None:
    """Else anybody on this machine could speak as a sidecar."""
    assert (mesh_state.folder / "run").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", DOORS)
def test_a_door_opens_for_a_certificate_of_the_mesh(
    mesh_stack: dict[str, Any], certificates: Certificates, name: str
) -> None:
    """With TLS 1.3; not with 1.2, without a certificate, in clear, or by another authority's."""
    address, mine = door(mesh_stack, name), own(certificates, name)
    with reachable_folder("mesh-") as folder:
        others = Certificates(folder / "certs")
        others.init(utc_now())
        opened = {
            "mine": speaks(address, client(mine)),
            "TLS 1.2": speaks(address, client(mine, ssl.TLSVersion.TLSv1_2)),
            "none": speaks(address, client(None)),
            "in clear": speaks(address, None),
            "another authority's": speaks(address, client(own(others, name))),
        }

    assert [what for what, is_open in opened.items() if is_open] == ["mine"]


def test_people_and_workloads_have_doors_of_their_own(
    mesh_stack: dict[str, Any], certificates: Certificates
) -> None:
    """An operator does not reach a service directly, nor a service the operators' listener."""
    person = client(certificates.operator(system_user()))
    workload = client(certificates.workload("payment_svc"))

    assert not any(speaks(door(mesh_stack, service.name), person) for service in SERVICES)
    assert not speaks(door(mesh_stack, "operators"), workload)


async def test_forged_words_about_certificates_are_ignored(
    mesh_stack: dict[str, Any], certificates: Certificates, mesh_state: State
) -> None:
    """A caller says that operators called him with a certificate: the service never hears it."""
    request_id = str(uuid4())
    forged = (
        ("x-request-id", request_id),
        ("x-paymesh-operator", "spiffe://paymesh.local/operator/eve"),
        ("x-paymesh-identity", "spiffe://paymesh.local/ns/paymesh/sa/edge"),
        (
            "x-forwarded-client-cert",
            "By=x;Hash=y;URI=spiffe://paymesh.local/ns/paymesh/sa/operators",
        ),
    )
    async with calling(mesh_stack, certificates, "payment_svc") as channel:
        path = "/paymesh.risk.v1.RiskService/GetAssessment"
        assert await is_let_in(channel, path, forged)

    def line() -> list[dict[str, Any]]:
        return [one for one in log_lines(mesh_state, "risk_svc") if one["request_id"] == request_id]

    await eventually(lambda: bool(line()))
    (told,) = line()
    assert (told["operator"], told["caller"].rpartition("/")[2]) == (None, "payment_svc")


@asynccontextmanager
async def calling(
    stack: Mapping[str, Any], certificates: Certificates, name: str
) -> AsyncIterator[grpc.aio.Channel]:
    """Call as a workload."""
    with reachable_folder("mesh-") as folder:
        mine = {name: certificates.workload(name)}
        async with mesh_callers(folder, stack, mine) as targets:
            async with grpc.aio.insecure_channel(targets[name]) as channel:
                yield channel


async def test_the_actor_is_whom_the_certificate_names(
    mesh_stack: dict[str, Any], certificates: Certificates
) -> None:
    """Whatever an operator says of himself."""
    certificates.add_operator("ada", utc_now())
    account = posting_pb2.NewAccount(
        account_id=f"seller:demo:{uuid4().hex}:USD",
        type=ledger_pb2.Account.LIABILITY,
        currency="USD",
    )
    forged = [("x-paymesh-operator", OPERATOR), ("x-paymesh-actor", "eve")]
    async with operator_channel(mesh_stack, "ledger_svc", "ada") as channel:
        books = LedgerServiceStub(channel)
        await books.OpenAccounts(ledger.OpenAccountsRequest(accounts=[account]), timeout=30)
        request = ledger.FreezeAccountRequest(account_id=account.account_id, reason="a test")
        await books.FreezeAccount(request, metadata=forged, timeout=30)
        asked = ledger.ListAccountChangesRequest(account_id=account.account_id)
        changes = (await books.ListAccountChanges(asked, timeout=30)).changes

    assert [change.actor for change in changes] == ["spiffe://paymesh.local/operator/ada"]


async def test_operators_do_not_post_to_the_ledger(
    mesh_stack: dict[str, Any], mesh_state: State
) -> None:
    """Money moves by sagas alone: there is no way for it through the operators' listener, whose log
    names who tried.
    """
    async with operator_channel(mesh_stack, "ledger_svc") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await LedgerServiceStub(channel).PostTransactions(
                ledger.PostTransactionsRequest(), timeout=30
            )

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    method = "/paymesh.ledger.v1.LedgerService/PostTransactions"
    log = mesh_state.log("operators-access")

    def tried() -> list[dict[str, Any]]:
        lines = map(json.loads, log.read_text().splitlines())
        return [line for line in lines if line["path"] == method]

    me = f"/operator/{system_user()}"
    await eventually(lambda: any(line["operator"].endswith(me) for line in tried()))
    for line in tried():  # others' too, of the tests that share this mesh
        assert "/operator/" in line["operator"]
        assert line["grpc_status"] not in ("OK", "-", None)


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
    with socket.create_connection(address, timeout=10) as plain:
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


def test_who_has_no_certificate_is_told_how_to_get_one(mesh_state: State) -> None:
    """`--as` names a person that the authority knows."""
    told = ["dlq", "retry", "saga_0", "--why", "a test", "--yes", "--as", "nobody-yet"]
    shown = CliRunner().invoke(main, [*told, "--state", str(mesh_state.folder)])

    assert shown.exit_code == 1
    assert "`paymesh certs operator nobody-yet` makes one" in shown.output
