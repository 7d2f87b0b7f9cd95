"""The embedded stack in trouble: what dies, what does not start, who may see what."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.processes import start_time
from devstack.rest import RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import Stack, down, is_running, spawn
from devstack.state import StackError, State, reachable_folder

DEADLINE_S = 60


def await_ended(state: State, noted: dict[str, Any]) -> None:
    """Wait until neither a supervisor nor any of these children runs."""
    deadline, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while is_running(state) or any(start_time(pid) == began for pid, began in noted.values()):
        assert time.monotonic() < deadline, noted
        pause.wait(0.05)


@pytest.mark.parametrize("name", ["postgres", "redis", "sandbox", "edge"])
async def test_what_the_services_stand_on_may_die_too(
    state: State, stack: dict[str, Any], name: str
) -> None:
    """A killed part is back with its data, and the next payment completes."""
    running = Stack(state, stack)
    pid = running.kill(name)
    await asyncio.to_thread(running.wait_healthy, name, not_pid=pid)

    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
        async with asyncio.timeout(DEADLINE_S):
            while (
                created := await rest.create(specification_request(f"after-{pid}"))
            ).status != 200:
                assert created.status in (503, 504), created.body
                await asyncio.sleep(0.05)
        payment = await rest.until_final(created.body["payment_id"], timeout_s=DEADLINE_S)

    assert payment["status"] == "COMPLETED"


def test_a_service_that_refuses_to_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the service and has its last words; nothing is left running."""
    monkeypatch.setenv("RISK_VELOCITY_CARD_PER_HOUR", "many")
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)

        with pytest.raises(StackError, match=r"risk_svc ended with 2: .*RISK_VELOCITY_CARD") as it:
            spawn(state, ports="auto", risk="open")

        assert "Traceback" not in str(it.value)
        assert not is_running(state)
        assert state.children() == {}


def test_a_port_in_use_is_one_clear_line() -> None:
    """Before anything is started, it is said which port, and what to do instead."""
    with reachable_folder("paymesh-test-") as folder, socket.socket() as taken:
        state = State(folder)
        if taken.connect_ex(("127.0.0.1", 9157)) != 0:
            taken.close()
            taken = socket.create_server(("127.0.0.1", 9157))
        with taken, pytest.raises(StackError, match=r"port \d+ \(\S+\) is in use: .*--ports auto"):
            spawn(state, ports="", risk="open")

        assert not state.log("postgres").exists()


def test_a_stop_in_the_middle_of_the_start_leaves_nothing() -> None:
    """Ctrl-C need not wait until everything is up."""
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)
        command = [str(Path(sys.executable).with_name("paymesh")), "up", "--ports", "auto"]
        process = subprocess.Popen(
            [*command, "--state", str(folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline, pause = time.monotonic() + DEADLINE_S, threading.Event()
        while "postgres" not in (noted := state.children()):
            assert time.monotonic() < deadline, noted
            pause.wait(0.01)

        process.send_signal(signal.SIGINT)

        assert process.wait(DEADLINE_S) == 0
        await_ended(state, noted)


def test_down_after_a_killed_supervisor_leaves_nothing() -> None:
    """The next command cleans up what nobody could, and the one after it finds nothing."""
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)
        stack = spawn(state, ports="auto", risk="open")
        noted = state.children()
        os.kill(stack["supervisor"]["pid"], signal.SIGKILL)

        down(state)

        await_ended(state, noted)
        assert down(state) is False


def test_an_app_role_reaches_its_own_database_alone(stack: dict[str, Any]) -> None:
    """No service can read another's books, nor make a table in its own database."""
    port = stack["databases"]["ledger"].rpartition("@")[2].rpartition("/")[0]
    assert stack["databases"].keys() == {service.context for service in SERVICES}
    for context, url in stack["databases"].items():
        with (
            psycopg.connect(url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE mine (id int)")
        own = url.rpartition("@")[0]
        for other in [*(c for c in stack["databases"] if c != context), "postgres", "template1"]:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(f"{own}@{port}/{other}")


def test_postgres_keeps_what_it_has_confirmed(stack: dict[str, Any]) -> None:
    """The stack's PostgreSQL is 18, durable, checks its pages, and listens on loopback alone."""
    with psycopg.connect(stack["databases"]["ledger"]) as connection:
        names = ("fsync", "synchronous_commit", "data_checksums", "io_method", "listen_addresses")
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in names]  # type: ignore[arg-type]
        version = connection.info.server_version

    assert settings == [("on",), ("on",), ("on",), ("worker",), ("127.0.0.1",)]
    assert version // 10000 == 18
