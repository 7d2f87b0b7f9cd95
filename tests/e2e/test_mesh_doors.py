"""The running mesh: who gets in, where nobody does, and what may be forged."""

import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psutil
import pytest
from click.testing import CliRunner
from paymesh.ledger.v1 import ledger_pb2, posting_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from devstack.cli import main
from devstack.mesh.certificates import Certificates, system_user, utc_now
from devstack.reach import operator_channel
from devstack.services import SERVICES
from devstack.state import State, reachable_folder
from tests.e2e.mesh_doors import DEADLINE_S, client, door, eventually, log_lines
from tests.mesh_callers import is_let_in, mesh_callers

DOORS = (*(service.name for service in SERVICES), "operators")
OPERATOR = f"spiffe://paymesh.local/operator/{system_user()}"


@pytest.fixture
def certificates(mesh_state: State) -> Certificates:
    """The mesh's certificates."""
    return Certificates(mesh_state.certificates)


def own(certificates: Certificates, name: str) -> Path:
    """Tell whose certificate a door lets in."""
    is_for_people = name == "operators"
    return certificates.operator(system_user()) if is_for_people else certificates.workload("edge")


def speaks(address: tuple[str, int], context: ssl.SSLContext | None) -> bool:
    """Begin HTTP/2 and tell whether the other side does; an empty `context` is no TLS at all."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    try:
        with socket.create_connection(address, timeout=DEADLINE_S) as plain:
            with context.wrap_socket(plain) if context else nullcontext(plain) as stream:
                stream.sendall(preface)
                return stream.recv(9)[3:4] == b"\4"  # its SETTINGS
    except (ssl.SSLError, ConnectionError):
        return False


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


def test_who_has_no_certificate_is_told_how_to_get_one(mesh_state: State) -> None:
    """`--as` names a person that the authority knows."""
    told = ["dlq", "retry", "saga_0", "--why", "a test", "--yes", "--as", "nobody-yet"]
    shown = CliRunner().invoke(main, [*told, "--state", str(mesh_state.folder)])

    assert shown.exit_code == 1
    assert "`paymesh certs operator nobody-yet` makes one" in shown.output
