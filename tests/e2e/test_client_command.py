"""`paymesh client` on a running stack: JSON for programs, one clear line for what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from devstack.rest import RestClient
from devstack.state import State

ROOT = Path(__file__).resolve().parents[2]
WHY = ("--why", "a test", "--as", "ada")


def paymesh(state: State, *words: str, exits: int = 0) -> str:
    """Run `paymesh client`; answer what it printed."""
    command = [str(Path(sys.executable).with_name("paymesh")), "client", *words]
    command += ["--state", str(state.folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == exits, done.stdout + done.stderr
    return done.stdout if exits == 0 else done.stderr


async def status_of(stack: dict[str, Any], key: str) -> int:
    """Ask with a key."""
    async with RestClient(stack["edge"]["url"], key) as client:
        return (await client.get("pay_0")).status


async def test_client_lives_rotates_and_is_revoked(stack: dict[str, Any], state: State) -> None:
    """Its key opens the real edge until it is revoked; what was done is told with who and why."""
    name = f"shop-{uuid4()}"
    made = json.loads(paymesh(state, "create", name, "--scope", "read", *WHY, "--json"))
    rotated = json.loads(paymesh(state, "rotate", name, "key", "--overlap", "2h", *WHY, "--json"))
    keys = (made["api_key"], rotated["value"])
    before = [await status_of(stack, key) for key in keys]
    paymesh(state, "revoke", name, "--yes", *WHY)
    shown = json.loads(paymesh(state, "show", name, "--json"))

    assert before == [404, 404]
    assert [await status_of(stack, key) for key in keys] == [401, 401]
    assert [change["action"] for change in shown["changes"]] == ["REVOKED", "ROTATED", "CREATED"]
    assert {change["actor"] for change in shown["changes"]} == {"unverified:ada"}
    listed = json.loads(paymesh(state, "list", "--limit", "1000", "--json"))
    assert {"demo", name} <= {client["client_id"] for client in listed}


@pytest.mark.parametrize(
    ("words", "exits", "told"),
    [
        (("show", "nobody"), 1, "There is no client nobody"),
        (("create", "demo"), 1, "There is a client demo already"),
        (("create", "a b"), 1, "client_id"),
        (("rotate", "nobody", "key", *WHY), 1, "There is no client nobody"),
        (("rotate", "demo", "key"), 2, "--why"),
        (("rotate", "demo", "key", "--overlap", "soon", *WHY), 2, "no span"),
        (("revoke", "demo", *WHY), 1, "nothing was changed"),
        (("revoke", "demo", "--credential", "x", "--yes", *WHY), 1, "no key or secret x"),
        (("limit", "demo", *WHY), 2, "--default"),
    ],
)
def test_what_is_refused_is_one_clear_line(
    state: State, stack: dict[str, Any], words: tuple[str, ...], exits: int, told: str
) -> None:
    """Exit code 1 for what the service refuses, 2 for what is no command; no traceback."""
    assert stack["client"]["id"] == "demo"

    said = paymesh(state, *words, exits=exits)

    assert told in said
    assert "Traceback" not in said
