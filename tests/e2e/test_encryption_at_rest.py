"""What rests, and what is written and shown beside, is searched for secrets that went through; then
all keys are changed while payments are under way.
"""

import asyncio
import base64
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from paymesh.psp.v1 import payout_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp
from redis.asyncio import Redis

from chassis.clock import utc_now
from devstack.postgres import binaries
from devstack.rest import RestClient, specification_request
from devstack.sandbox.signing import stripe_signature
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from devstack.trail import Operator
from tests.conftest import whole
from tests.e2e.test_ledger_command import paymesh
from tests.unit.payment_svc.receiver import ok, receiving

DEADLINE_S = 60.0
EMAIL, IP = "canary.buyer@example.com", "192.0.2.77"
TOKEN, LATER = "pm_card_threeDSecure2Required", "canary-session-4711"
CARD = "4111111111111111"
IBAN, HOLDER = "GB82WEST12345698765432", "Jo Doe Canary"  # pragma: allowlist secret
HEARD = "canary.payer@example.com"  # in a webhook of the PSP's


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own, on which orders to the bank stay where they are."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-vault-") as folder:
        patch.setenv("BANK_POLL_S", "3600")
        with running_stack(folder) as stack:
            whole(stack.state)
            yield stack


@pytest.fixture
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


async def waiting(rest: RestClient) -> dict[str, Any]:
    """Make a payment whose buyer has to authenticate: token, e-mail and page rest meanwhile."""
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = TOKEN
    request["buyer_info"] |= {"email": EMAIL, "ip_address": IP}
    created = await rest.create(request)
    assert created.status == 200, created.body
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = (await rest.get(created.body["payment_id"])).body
            if found["status"] == "REQUIRES_ACTION":
                return dict(found)
            await asyncio.sleep(0.05)


async def happen(rest: RestClient, stack: Stack) -> dict[str, str]:
    """Have every kind of secret go through; answer them by their names."""
    paid = await waiting(rest)
    completed = specification_request(f"order-{uuid4()}")
    completed["credit_card_info"]["token"] = "psp_canary_token"
    completed["buyer_info"]["email"] = EMAIL
    assert (await rest.create(completed, wait_s=20)).body["status"] == "COMPLETED"
    session = specification_request(f"order-{uuid4()}")
    del session["credit_card_info"]
    session["buyer_info"]["email"] = EMAIL
    urls = {
        "success_url": f"https://shop.example/?s={LATER}",
        "cancel_url": "https://shop.example/",
    }
    opened = await rest.ask("POST", "/v1/checkout_sessions", session | urls)
    assert opened.status == 200, opened.body
    refused = specification_request(f"order-{uuid4()}")
    refused["credit_card_info"]["token"] = f"pm_{CARD}"
    assert (await rest.create(refused)).status == 400
    async with receiving(ok) as receiver:
        hook = await rest.ask("POST", "/v1/webhook_endpoints", {"url": receiver.url})
        assert hook.status == 200, hook.body
    await pay_out(stack)
    await tell(stack)
    return {
        "e-mail": EMAIL, "address": IP, "token of a payment under way": TOKEN,
        "token of a payment that is over": "psp_canary_token", "card number": CARD,
        "the shop's session": LATER, "IBAN": IBAN, "holder": HOLDER, "PSP's buyer": HEARD,
        "where the buyer authenticates": paid["next_action"]["redirect_url"],
        "endpoint's secret": hook.body["secret"].removeprefix("whsec_"),
        "API key": stack["client"]["api_key"],
    }  # fmt: skip


async def pay_out(stack: Stack) -> None:
    """Order a transfer of a bank."""
    account = payout_pb2.PayoutDestination.BankAccount(iban=IBAN, holder_name=HOLDER)
    item = psp.PayoutCommand(
        attempt_id=f"att_{uuid4().hex}", payout_id=f"pout_{uuid4().hex}", client_id="demo",
        amount="10.00", currency="EUR", reference_text="May",
        destination=payout_pb2.PayoutDestination(bank_account=account),
    )  # fmt: skip
    async with Operator(stack) as operator:
        done = await operator.psp.ExecutePayouts(psp.ExecutePayoutsRequest(payouts=[item]))
    assert done.results[0].payout.state == payout_pb2.Payout.SUBMITTED, done


async def tell(stack: Stack) -> None:
    """Send a webhook of the PSP's that holds an e-mail, signed."""
    about = {"object": {"id": "pi_none", "receipt_email": HEARD, "metadata": {}}}
    event = {"id": f"evt_{uuid4().hex}", "type": "payment_intent.succeeded", "data": about}
    body = json.dumps({**event, "created": int(time.time())}).encode()
    secret = stack.state.secret("stripe_webhook")
    headers = {"Stripe-Signature": stripe_signature(secret, body, utc_now())}
    url = stack["edge"]["url"] + "/v1/webhooks/stripe"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()


async def authenticate(page: str) -> None:
    """Do what the buyer does on the PSP's page."""
    async with aiohttp.ClientSession() as buyer:
        async with buyer.post(page, data={"result": "complete"}, allow_redirects=False) as answer:
            assert answer.status < 400


def secrets_of(stack: Stack) -> dict[str, str]:
    """List what the stack itself must keep to itself."""
    names = ("fingerprint", "webhook_secret", "stripe_webhook", "adyen_hmac", "payment_owner")
    kept = {name: stack.state.secret(name) for name in names}
    for file in sorted((stack.state.folder / "keys").glob("*.keys")):
        for line in file.read_text().splitlines():
            kept[f"{file.stem}'s key {line.split()[0]}"] = line.split()[1]
    return kept


def dump(stack: Stack, context: str) -> bytes:
    """Dump a database as a backup does."""
    owner = f"{context}_owner"
    url = f"postgresql://{owner}:{stack.state.secret(owner)}@"
    url += stack["databases"][context].partition("@")[2]
    done = subprocess.run(
        [str(binaries() / "pg_dump"), "--dbname", url], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def redis_contents(url: str) -> bytes:
    """Read every key of Redis with its value."""
    reads = {
        b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",),
        b"list": ("LRANGE", 0, -1), b"zset": ("ZRANGE", 0, -1), b"stream": ("XRANGE", "-", "+"),
    }  # fmt: skip
    redis = Redis.from_url(url)
    found = b""
    async for key in redis.scan_iter():
        command, *rest = reads[await redis.type(key)]
        value = await redis.execute_command(str(command), key, *rest)
        found += key + repr(value).encode()
    await redis.aclose()
    return found


async def metrics(stack: Stack) -> bytes:
    """Read the metrics of all services."""
    found = b""
    async with aiohttp.ClientSession() as session:
        for service in stack["services"].values():
            async with session.get(service["metrics"]) as answer:
                found += await answer.read()
    return found


def forms(value: str) -> list[bytes]:
    """Write a value in the forms that it may hide in."""
    plain = value.encode()
    shown = {plain, plain.hex().encode(), base64.b64encode(plain), json.dumps(value)[1:-1].encode()}
    if plain.endswith(b"="):  # a key, as it is or as its bytes are dumped
        shown.add(base64.b64decode(plain).hex().encode())
    return sorted(shown)


def seen(where: Mapping[str, bytes], canaries: Mapping[str, str]) -> list[str]:
    """Tell which canary is where."""
    return [
        f"{name} is in {place}"
        for place, content in where.items()
        for name, value in canaries.items()
        if any(form in content for form in forms(value))
    ]


def logs(folder: Path) -> dict[str, bytes]:
    """Read every log: of services, of the edge, of the databases."""
    return {f"log {path.name}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_no_secret_rests_or_is_shown(rest: RestClient, stack: Stack) -> None:
    """Neither dumps, Redis, logs nor metrics hold one; the dumps hold the rows that they are in."""
    canaries = await happen(rest, stack) | secrets_of(stack)

    where = {f"dump of {context}": dump(stack, context) for context in stack["databases"]}
    async with asyncio.timeout(DEADLINE_S):
        while b"events.payment" not in (contents := await redis_contents(stack["redis"])):
            await asyncio.sleep(0.05)
    where["Redis"] = contents
    where["metrics"] = await metrics(stack)
    where |= logs(stack.state.logs)

    assert seen(where, canaries) == []
    assert {"log edge.log", "log payment_svc.log", "log psp_gateway.log"} <= where.keys()
    assert all(b"COPY public." in where[f"dump of {context}"] for context in stack["databases"])
    assert b"paymesh_undecipherable_total" in where["metrics"]
    # The search does find what is there.
    assert seen(where, {"buyer": "buyer_123"}) == ["buyer is in dump of payment"]


async def test_keys_change_under_a_payment(rest: RestClient, stack: Stack) -> None:
    """A payment whose token rests under old keys goes on under the new ones; the old are gone."""
    paid = await waiting(rest)
    files = sorted((stack.state.folder / "keys").glob("*.keys"))
    old = [file.read_text() for file in files]

    rotated = paymesh(stack.state, "keys", "rotate")
    between = await waiting(rest)
    async with asyncio.timeout(DEADLINE_S):
        while (told := await _rewrapped(stack)) and any(one["left"] for one in told):
            await asyncio.sleep(0.2)
    dropped = paymesh(stack.state, "keys", "drop")

    assert rotated.returncode == 0, rotated.stderr
    assert "payment_svc: k2 wraps from now on" in rotated.stderr
    services = ("psp_gateway", "edge_auth", "payment_svc")
    assert dropped.stdout == "".join(f"{name}: k1 dropped\n" for name in services)
    assert [os.stat(file).st_mode & 0o777 for file in files] == [0o600] * 3
    assert not [file for file, text in zip(files, old, strict=True) if text in file.read_text()]
    last = [one["data_keys"][-1] for one in told]
    assert [(key["number"], key["wrapped_by"]) for key in last] == [(2, "k2")] * 3
    for payment in (paid, between):
        await authenticate(payment["next_action"]["redirect_url"])
        assert (await rest.until_final(payment["payment_id"]))["status"] == "COMPLETED"


async def _rewrapped(stack: Stack) -> list[dict[str, Any]]:
    done = await asyncio.to_thread(paymesh, stack.state, "keys", "rewrap", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    private = ("payments.payment_token", "webhooks.body", "signing_secrets.value")
    assert {f"{column}_encrypted" for column in private} <= {line.get("column") for line in lines}
    return [line for line in lines if "left" in line]
