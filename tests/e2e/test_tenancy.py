"""One client's things do not exist for another, whatever RPC and whatever form he tries."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2
from paymesh.edge.v1 import client_service_pb2 as edge
from paymesh.edge.v1.client_service_pb2_grpc import ClientServiceStub
from paymesh.payment.v1 import payment_service_pb2 as pay
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as hooks

from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.conftest import whole
from tests.e2e import tenancy_cases as cases
from tests.e2e.tenancy_cases import CASES, Case, Must, Things
from tests.e2e.transcoding import Person, Seen, public_methods, strings

METHODS = public_methods()
FORMS = ("rest", "native")
QUIET_S, DEADLINE_S = 0.5, 60.0


def nobodys(prefix: str, number: int) -> str:
    """Write a well-formed id that nobody has."""
    return f"{prefix}_{number:026}"


UNKNOWN = Things(
    nobodys("pay", 1), nobodys("pay", 2), nobodys("pay", 3), nobodys("cks", 4), nobodys("whe", 5),
    f"evt_{nobodys('pay', 1)}s1", "nobody", "nothing", "none",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """Alice has things; Mallory tries them.

    Attributes:
        seen: what Mallory was answered with Alice's things, by case and form.
        unknown: the same with things of nobody.
        before, after: what Alice saw of her things.
    """

    alice: Person
    mallory: Person
    hers: Things
    his: Things
    secrets: frozenset[str]
    seen: dict[tuple[str, str], Seen]
    unknown: dict[tuple[str, str], Seen]
    before: list[Seen]
    after: list[Seen]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Everything that is tried, once, on a stack of its own."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-two-") as folder:
        patch.setenv("WEBHOOK_RETRY_AFTER_S", "600")
        with running_stack(folder) as stack:
            whole(stack.state)
            yield asyncio.run(tried(stack))


async def tried(stack: Stack) -> World:
    """Have Alice make her things, and Mallory try each."""
    alice, mallory = await newcomer(stack, "alice"), await newcomer(stack, "mallory")
    hers, his = await things(alice, "alice"), await things(mallory, "mallory")
    before = await at_rest(alice, hers)
    said = " ".join(str(case.ask(hers)) for case in CASES if case.must is Must.MAKE_ONES_OWN)
    told = {text for one in before for text in strings(one.content) if is_own(text)}
    secrets = frozenset(text for text in told if text not in said)
    seen, unknown = {}, {}
    for form in FORMS:
        for case in CASES:
            # The creating ones first, under the very key and with the very body that she used.
            seen[case.title, form] = await attempt(mallory, form, case, hers)
            if case.must is Must.BE_UNKNOWN:
                unknown[case.title, form] = await attempt(mallory, form, case, UNKNOWN)
        mixed = replace(hers, endpoint=his.endpoint)
        nothing = replace(UNKNOWN, endpoint=his.endpoint)
        seen[cases.MIXED.title, form] = await attempt(mallory, form, cases.MIXED, mixed)
        unknown[cases.MIXED.title, form] = await attempt(mallory, form, cases.MIXED, nothing)
    after = await look(alice, hers)
    return World(alice, mallory, hers, his, secrets, seen, unknown, before, after)


async def newcomer(stack: Stack, name: str) -> Person:
    """Register a client."""
    async with grpc.aio.insecure_channel(stack["services"]["edge_auth"]["grpc"]) as channel:
        request = edge.CreateClientRequest(client_id=f"{name}-{uuid4()}")
        created = await ClientServiceStub(channel).CreateClient(request)
    return Person(stack["edge"]["url"], created.api_key)


def is_own(text: str) -> bool:
    """Tell whether a string belongs to one client alone: an id, a secret, a name, an address."""
    return text.startswith(("pay_", "cks_", "whe_", "evt_", "whsec_")) or "alice" in text


async def attempt(person: Person, form: str, case: Case, with_what: Things) -> Seen:
    """Ask in one of the two forms; under the key that the things were made with."""
    ask = person.rest if form == "rest" else person.native
    headers = (
        {"Idempotency-Key": f"key-{with_what.buyer}"} if case.must is Must.MAKE_ONES_OWN else {}
    )
    return await ask(METHODS[case.rpc], case.ask(with_what), **headers)


async def done(person: Person, rpc: str, request: Message, **headers: str) -> Any:
    """Do something that succeeds."""
    answer = await person.rest(METHODS[rpc], request, **headers)
    assert answer.code == 0, answer
    return answer.content


async def things(person: Person, name: str) -> Things:
    """Make one of each kind."""
    buyer, seller, checkout = f"{name}-buyer", f"{name}-seller", f"{name}-checkout"
    by, key = (buyer, seller, checkout), {"Idempotency-Key": f"key-{buyer}"}
    wait = {"Prefer": "wait=20"}
    endpoint = await done(
        person, cases.HOOKS + "CreateWebhookEndpoint", cases.endpoint_request(buyer), **key
    )
    await done(person, cases.HOOKS + "CreateWebhookEndpoint", cases.endpoint_request(f"{buyer}2"))
    create = cases.PAYMENTS + "CreatePayment"
    payment = await done(
        person, create, cases.payment_request(f"order-{buyer}", *by), **key, **wait
    )
    held: Any = cases.payment_request(f"held-{buyer}", *by)
    held.capture_method = "MANUAL"
    waiting: Any = cases.payment_request(f"waiting-{buyer}", *by)
    waiting.credit_card_info.token = "pm_card_threeDSecure2Required"
    session = cases.session_request(f"session-{buyer}", *by)
    made = Things(
        payment["payment_id"],
        (await done(person, create, held, **wait))["payment_id"],
        (await done(person, create, waiting, **wait))["payment_id"],
        (await done(person, cases.PAYMENTS + "CreateCheckoutSession", session, **key))[
            "checkout_session_id"
        ],
        endpoint["endpoint_id"],
        f"evt_{payment['payment_id']}s1",
        *(buyer, checkout, seller),
    )
    return replace(made, tokens=await tokens(person, made))


async def tokens(person: Person, made: Things) -> dict[str, str]:
    """Turn the first page of every list."""
    asked = {
        cases.LIST: pay.ListPaymentsRequest(page_size=1),
        cases.ENDPOINTS: hooks.ListWebhookEndpointsRequest(page_size=1),
        cases.EVENTS: hooks.ListEventsRequest(page_size=1),
        cases.DELIVERIES: hooks.ListWebhookDeliveriesRequest(
            endpoint_id=made.endpoint, page_size=1
        ),
    }
    return {
        rpc: (await done(person, rpc, request))["next_page_token"] for rpc, request in asked.items()
    }


async def at_rest(person: Person, hers: Things) -> list[Seen]:
    """Read until nothing moves by itself any more."""
    async with asyncio.timeout(DEADLINE_S):
        seen = await look(person, hers)
        while True:
            await asyncio.sleep(QUIET_S)
            again = await look(person, hers)
            if has_settled(again) and states(again) == states(seen):
                return seen
            seen = again


def has_settled(seen: list[Seen]) -> bool:
    """Tell whether no payment is on its way any more, and each delivery was tried."""
    *_, payments, _, _, deliveries = (one.content for one in seen)
    moving = ("PENDING", "PROCESSING")
    return all(one["status"] not in moving for one in payments["payments"]) and all(
        one["attempts"] for one in deliveries["deliveries"]
    )


def states(seen: list[Seen]) -> list[dict[str, Any]]:
    """Tell what was seen, without the places where pages end: that of events moves with time."""
    return [{k: v for k, v in one.content.items() if k != "next_page_token"} for one in seen]


async def look(person: Person, hers: Things) -> list[Seen]:
    """Read all that belongs to one client."""
    asked = [
        ("PaymentService.GetPayment", pay.GetPaymentRequest(payment_id=hers.payment)),
        ("PaymentService.GetPayment", pay.GetPaymentRequest(payment_id=hers.held)),
        ("PaymentService.GetPayment", pay.GetPaymentRequest(payment_id=hers.waiting)),
        (cases.LIST, pay.ListPaymentsRequest()),
        (cases.ENDPOINTS, hooks.ListWebhookEndpointsRequest()),
        (cases.EVENTS, hooks.ListEventsRequest()),
        (cases.DELIVERIES, hooks.ListWebhookDeliveriesRequest(endpoint_id=hers.endpoint)),
    ]
    return [await person.rest(METHODS[rpc], request) for rpc, request in asked]


def test_every_public_rpc_is_tried() -> None:
    """An RPC that gets a REST form gets a case here, or the reason why it needs none."""
    assert {case.rpc for case in CASES} | set(cases.NO_CLIENTS_OWN) == set(METHODS)


def test_every_list_is_tried_with_a_page_token() -> None:
    """Whoever adds a list tries another client's token too."""
    lists = {
        rpc for rpc, method in METHODS.items() if "page_token" in method.input_type.fields_by_name
    }

    assert {case.rpc for case in CASES if case.note == "page token"} == lists


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_nothing_of_anothers_is_told(world: World, case: Case, form: str) -> None:
    """No id, name, secret or address of hers is in his answer, but for what he sent himself."""
    told = world.seen[case.title, form].text
    sent = str(case.ask(world.hers))

    assert len(world.secrets) > 10
    assert not [secret for secret in world.secrets if secret in told and secret not in sent]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_it_is_as_if_it_did_not_exist(world: World, case: Case, form: str) -> None:
    """What is hers is nobody's for him; a key of hers is free, a token of hers is none."""
    seen = world.seen[case.title, form]

    match case.must:
        case Must.BE_UNKNOWN:
            assert seen.code == code_pb2.NOT_FOUND
            assert disguised(seen, world.hers) == disguised(
                world.unknown[case.title, form], UNKNOWN
            )
        case Must.BE_INVALID:
            assert seen.code == code_pb2.INVALID_ARGUMENT
            assert seen.content["details"][0]["metadata"]["field"] == "page_token"
        case Must.MAKE_ONES_OWN:
            assert seen.code == 0, seen
            # In the second form it is his own that is told again.
            assert ("idempotent-replayed" in seen.headers) == (form == FORMS[1])
        case Must.BE_EMPTY:
            assert seen.code == 0, seen


def disguised(seen: Seen, asked_with: Things) -> tuple[int, str, dict[str, str]]:
    """Write an answer without the ids that were asked for."""
    text = json.dumps(seen.content, sort_keys=True)
    for place, name in sorted(enumerate(asked_with.ids()), key=lambda pair: -len(pair[1])):
        text = text.replace(name, f"<{place}>")
        if name[3] == "_":  # an event is named after its payment
            text = text.replace(name[4:], f"<{place}>")
    return seen.code, text, dict(seen.headers)


@pytest.mark.parametrize("form", FORMS)
def test_anothers_event_is_not_sent_to_ones_own_endpoint(world: World, form: str) -> None:
    """An event of hers, to an endpoint of his: there is no such event."""
    seen, unknown = (which[cases.MIXED.title, form] for which in (world.seen, world.unknown))

    assert seen.code == code_pb2.NOT_FOUND
    assert disguised(seen, world.hers) == disguised(unknown, UNKNOWN)


def test_nothing_of_hers_has_moved(world: World) -> None:
    """After all that was tried she sees what she saw before."""
    assert all(seen.code == 0 for seen in world.before)
    assert states(world.after) == states(world.before)


@pytest.mark.parametrize("form", FORMS)
async def test_nobody_says_himself_who_he_is(world: World, form: str) -> None:
    """The header by which the edge names the client is taken off what a client sends."""
    ask = world.mallory.rest if form == "rest" else world.mallory.native
    method = METHODS["PaymentService.GetPayment"]
    request = pay.GetPaymentRequest(payment_id=world.hers.payment)

    seen = await ask(method, request, **{"x-paymesh-client-id": "alice"})

    assert seen.code == code_pb2.NOT_FOUND


@pytest.mark.parametrize("rpc", [cases.LIST, cases.ENDPOINTS, cases.EVENTS, cases.DELIVERIES])
async def test_a_token_belongs_to_its_filter(world: World, rpc: str) -> None:
    """Her own token, with another filter or a bit changed, is refused to her too."""
    good = {"page_token": world.hers.tokens[rpc], "page_size": 1}
    own = {"endpoint_id": world.hers.endpoint} if rpc == cases.DELIVERIES else {}
    kind = METHODS[rpc].input_type._concrete_class
    other = {cases.LIST: {"buyer_id": "b"}, cases.EVENTS: {"object_id": world.hers.held}}.get(rpc)

    assert (await world.alice.rest(METHODS[rpc], kind(**good, **own))).code == 0
    spoiled = good | {"page_token": "A" + world.hers.tokens[rpc][1:]}
    wrong = [kind(**spoiled, **own)] + ([kind(**good, **other)] if other else [])
    for request in wrong:
        seen = await world.alice.rest(METHODS[rpc], request)
        assert seen.code == code_pb2.INVALID_ARGUMENT, seen
