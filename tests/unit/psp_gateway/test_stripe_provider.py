"""The requests that Stripe is sent, and the pages that are gone through to find one object."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.providers.stripe.provider import StripeProvider
from tests.builders import NOW
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)
from tests.unit.psp_gateway.wire import Request, answer, opened, scripted


def intent(number: int, attempt_id: str) -> dict[str, Any]:
    """Make a listed PaymentIntent."""
    return {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "amount": 9999,
        "currency": "usd",
        "metadata": {"attempt_id": attempt_id},
    }


def query(request: Request) -> dict[str, str]:
    """Read what a listing asks for."""
    return dict(parse_qsl(urlsplit(request.line.split(" ")[1]).query))


def pages(count: int) -> Any:
    """Script a list of `count` pages, the last of which holds ours."""
    served = iter(range(1, count + 1))

    def script(_: Request) -> bytes:
        number = next(served)
        whose = "att_1" if number == count else f"att_other{number}"
        return answer({"data": [intent(number, whose)], "has_more": number < count})

    return script


async def test_the_create_says_what_is_asked_and_no_more() -> None:
    """Our ids go as metadata; nothing that moves money is in it."""
    async with scripted(lambda _: answer(intent(1, "att_1"))) as wire, opened(wire.url) as client:
        made = await StripeProvider(client).create_charge(
            new_charge(), token="tok", key="att_1:create"
        )

    assert isinstance(made, Created)
    assert dict(parse_qsl(wire.requests[0].body)) == {
        "amount": "9999",
        "currency": "usd",
        "payment_method": "tok",
        "payment_method_types[]": "card",
        "capture_method": "automatic",
        "metadata[payment_id]": "pay_1",
        "metadata[attempt_id]": "att_1",
        "metadata[client_id]": "demo",
    }


async def test_a_return_url_is_said_at_the_confirm() -> None:
    """Where buyers come back to goes with the confirm alone, and only when there is such a
    place.
    """
    attempt = replace(new_charge(), psp_reference="pi_1")
    async with scripted(lambda _: answer({}, status=500)) as wire, opened(wire.url) as client:
        await StripeProvider(client).confirm_charge(attempt, token="", key="k")
        await StripeProvider(client, return_url="https://shop").confirm_charge(
            attempt, token="", key="k"
        )

    assert [request.line for request in wire.requests] == [
        "POST /v1/payment_intents/pi_1/confirm HTTP/1.1"
    ] * 2
    assert [request.body for request in wire.requests] == ["", "return_url=https%3A%2F%2Fshop"]


def about(asked: Attempt) -> Attempt:
    """Make what is about a charge as the store keeps it."""
    return replace(asked, charge_reference="pi_1")


async def test_what_is_to_be_held_says_so() -> None:
    """The create names manual capture; the confirm and the look-up ask for the charge, which
    alone tells until when it is held.
    """
    held = replace(new_hold(), psp_reference="pi_1")
    async with scripted(lambda _: answer({}, status=500)) as wire, opened(wire.url) as client:
        provider = StripeProvider(client, return_url="https://shop")
        await provider.create_charge(new_hold(), token="tok", key="att_1:create")
        await provider.confirm_charge(held, token="", key="att_1:confirm")
        await provider.read_charge(held)

    create, confirm, read = wire.requests
    assert dict(parse_qsl(create.body))["capture_method"] == "manual"
    assert parse_qsl(confirm.body) == [
        ("return_url", "https://shop"),
        ("expand[]", "latest_charge"),
    ]
    assert query(read) == {"expand[]": "latest_charge"}


async def test_a_charge_asks_for_nothing_more() -> None:
    """Where nothing is held, no look-up is made bigger for it."""
    charge = replace(new_charge(), psp_reference="pi_1")
    async with scripted(lambda _: answer({}, status=500)) as wire, opened(wire.url) as client:
        await StripeProvider(client).read_charge(charge)

    assert wire.requests[0].line == "GET /v1/payment_intents/pi_1 HTTP/1.1"


async def test_a_capture_and_a_void_say_no_more_than_they_must() -> None:
    """A capture names its amount, and neither changes the object's metadata, by which the charge
    is found; each goes under its own key.
    """
    async with scripted(lambda _: answer({}, status=500)) as wire, opened(wire.url) as client:
        provider = StripeProvider(client)
        await provider.capture_charge(about(new_capture("40.00")), key="att_capture1:capture")
        await provider.void_charge(about(new_void()), key="att_void1:void")
        await provider.read_hold(about(new_void()))

    assert [(request.line, request.body) for request in wire.requests] == [
        ("POST /v1/payment_intents/pi_1/capture HTTP/1.1", "amount_to_capture=4000"),
        ("POST /v1/payment_intents/pi_1/cancel HTTP/1.1", ""),
        ("GET /v1/payment_intents/pi_1 HTTP/1.1", ""),
    ]
    keys = [request.headers.get("idempotency-key") for request in wire.requests]
    assert keys == ["att_capture1:capture", "att_void1:void", None]


async def test_every_page_is_gone_through() -> None:
    """An object on the third page is found, by a cursor that is the page's last id."""
    async with scripted(pages(3)) as wire, opened(wire.url) as client:
        found = await StripeProvider(client).find_charge(new_charge())

    assert isinstance(found, Created)
    assert found.reference == "pi_3"
    cursors = [query(request).get("starting_after") for request in wire.requests]
    assert cursors == [None, "pi_1", "pi_2"]
    since = {int(query(request)["created[gte]"]) for request in wire.requests}
    assert max(since) < NOW.timestamp()


async def test_an_end_without_it_is_absent() -> None:
    """Only the end of the list says that it is not there."""
    empty = answer({"data": [intent(1, "att_other")], "has_more": False})
    async with scripted(lambda _: empty) as wire, opened(wire.url) as client:
        found = await StripeProvider(client).find_charge(new_charge())

    assert isinstance(found, Absent)


async def test_a_page_in_trouble_is_not_absent() -> None:
    """A list that breaks off, or is none, says nothing of what was not read."""
    said = iter(
        [
            answer({"data": [intent(1, "att_other")], "has_more": True}),
            answer({}, status=500),
            answer({"data": "nonsense"}),
        ]
    )
    async with scripted(lambda _: next(said)) as wire, opened(wire.url) as client:
        provider = StripeProvider(client)
        answers = [await provider.find_charge(new_charge()) for _ in range(2)]

    assert [isinstance(found, Verdict) and found.outcome for found in answers] == [
        Outcome.UNKNOWN,
        Outcome.UNKNOWN,
    ]


async def test_a_list_without_end_is_given_up() -> None:
    """A list that goes on and on is left after a hundred pages, as not known."""
    endless = answer({"data": [intent(1, "att_other")], "has_more": True})
    async with scripted(lambda _: endless) as wire, opened(wire.url) as client:
        found = await StripeProvider(client).find_charge(new_charge())

    assert isinstance(found, Verdict)
    assert found.outcome is Outcome.UNKNOWN
    assert len(wire.requests) == 100


async def test_refunds_are_listed_by_their_charge() -> None:
    """A refund is looked for among those of its PaymentIntent."""
    refund = replace(new_refund(), charge_reference="pi_1")
    empty = answer({"data": [], "has_more": False})
    async with scripted(lambda _: empty) as wire, opened(wire.url) as client:
        found = await StripeProvider(client).find_refund(refund)

    assert isinstance(found, Absent)
    assert query(wire.requests[0])["payment_intent"] == "pi_1"
