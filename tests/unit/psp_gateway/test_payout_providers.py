"""Payouts at the PSPs, against scripted bytes: what is sent, found again, and refused before."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chassis.money import Money
from privacy.masked import Personal
from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.errors import InvalidAmount, InvalidDestination
from psp_gateway.domain.payout import BankAccount, Destination, PspAccount
from psp_gateway.domain.reasons import Reason
from psp_gateway.payout_ports import PayOut
from psp_gateway.providers.adyen import payouts as adyen
from psp_gateway.providers.adyen.client import AdyenClient
from psp_gateway.providers.paypal import payouts as paypal
from psp_gateway.providers.paypal.client import PayPalClient
from psp_gateway.providers.stripe import payouts as stripe
from tests.unit.psp_gateway.payouts_at_psps import PSPS, TO, good, new_payout, read
from tests.unit.psp_gateway.wire import HANG, Request, Wire, answer, opened, patience_s, scripted


@asynccontextmanager
async def payer(
    psp: str, script: Callable[[Request], bytes], timeout_s: float = 30.0
) -> AsyncIterator[tuple[PayOut, Wire]]:
    """Open a PSP's adapter to a server of scripted bytes."""

    def with_token(request: Request) -> bytes:
        if "/oauth2/token" in request.line:
            return answer({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        return script(request)

    async with scripted(with_token) as wire:
        if psp == "stripe":
            async with opened(wire.url, timeout_s=timeout_s) as client:
                yield stripe.StripePayouts(client), wire
            return
        other: AdyenClient | PayPalClient
        if psp == "adyen":
            other = AdyenClient(wire.url, "test_key", timeout_s=timeout_s, path=adyen.PATH)
            made: PayOut = adyen.AdyenPayouts(other, balance_account="BA1")
        else:
            other = PayPalClient(
                wire.url,
                "id",
                "secret_canary",
                timeout_s=timeout_s,  # pragma: allowlist secret
            )
            made = paypal.PayPalPayouts(other)
        await other.open()
        try:
            yield made, wire
        finally:
            await other.close()


async def sent(psp: str, said: bytes) -> Verdict:
    """Send a payout to a PSP that says this."""
    async with payer(psp, lambda _: said, patience_s(said)) as (adapter, _):
        told = await adapter.send_payout(new_payout(psp), TO[psp], key="att_1:payout")
    assert isinstance(told, Verdict)
    return told


@pytest.mark.parametrize("psp", PSPS)
async def test_what_is_sent(psp: str) -> None:
    """The amount, where it goes, our names of it, under one key; and the token nowhere else."""
    async with payer(psp, lambda _: answer(good(psp))) as (adapter, wire):
        first = await adapter.send_payout(new_payout(psp), TO[psp], key="att_1:payout")
        await adapter.send_payout(new_payout(psp), TO[psp], key="att_1:payout")
    one, two = [request for request in wire.requests if "oauth2" not in request.line]
    keys = [
        request.headers.get("idempotency-key") or request.headers.get("paypal-request-id")
        for request in (one, two)
    ]

    assert isinstance(first, Verdict)
    assert first.outcome is Outcome.SUCCEEDED
    assert one.body == two.body
    assert keys[0]
    assert keys[0] == keys[1]
    assert len(keys[0]) <= 64
    for word in ("att_1", "25" if psp != "stripe" else "2500"):
        assert word in one.body
    if psp == "stripe":
        assert "transfer_group=pout_1" in one.body
        assert "destination=acct_1" in one.body
    else:
        content = json.loads(one.body)
        there = {
            "adyen": {"transferInstrumentId": "SE1234"},
            "paypal": "jo@example.com",
        }[psp]
        item = content["counterparty"] if psp == "adyen" else content["items"][0]["receiver"]
        assert item == there


@pytest.mark.parametrize("psp", PSPS)
@pytest.mark.parametrize(
    "said",
    [HANG, b"", answer(b"{"), answer({}, status=500), answer({}, status=502), answer([]),
     answer({}), answer({}, status=409), answer({}, status=404), answer({}, status=400),
     answer(None, status=302)],
    ids=["silence", "hang-up", "half a body", "500", "502", "a list", "nothing", "409", "404",
         "400", "302"],
)  # fmt: skip
async def test_what_does_not_tell_is_unknown(psp: str, said: bytes) -> None:
    """Bytes were sent, and nothing documented says that nothing was executed."""
    told = await sent(psp, said)

    assert told.outcome is Outcome.UNKNOWN
    assert told.delivery is not Delivery.NOT_SENT


def stripes(code: str, status: int = 400) -> bytes:
    """Write an error of Stripe's."""
    error = {"type": "invalid_request_error", "code": code, "message": "acct_1 is none"}
    return answer({"error": error}, status=status)


REFUSALS = [
    *(("stripe", stripes(code), reason, code) for code, reason in stripe.REFUSALS.items()),
    ("stripe", stripes("brand_new"), Reason.PSP_REQUEST_INVALID, "brand_new"),
    (
        "adyen",
        answer({"errorCode": "30_081", "title": "no"}, status=422),
        Reason.PSP_REQUEST_INVALID,
        "30_081",
    ),
    *(
        ("paypal", answer({"name": name}, status=400), reason, name)
        for name, reason in paypal.REFUSALS.items()
    ),
    (
        "paypal",
        answer(
            {"name": "VALIDATION_ERROR", "details": [{"issue": "jo@example.com is none"}]},
            status=400,
        ),
        Reason.PSP_REQUEST_INVALID,
        "VALIDATION_ERROR",
    ),
]


@pytest.mark.parametrize(("psp", "said", "reason", "code"), REFUSALS, ids=lambda one: str(one)[:30])
async def test_a_refusal_is_of_the_request(
    psp: str, said: bytes, reason: Reason, code: str
) -> None:
    """The PSP says no, with its own code and none of its sentences."""
    told = await sent(psp, said)

    assert (told.outcome, told.about_request) == (Outcome.DECLINED, True)
    assert (told.reason, told.psp_code) == (reason, code)


@pytest.mark.parametrize(
    ("psp", "said"),
    [
        ("stripe", stripes("rate_limit", 429)),
        ("adyen", answer({"errorCode": "x"}, status=500, headers="transient-error: true\r\n")),
        ("paypal", answer({"name": "RATE_LIMIT_REACHED"}, status=429)),
    ],
)
async def test_the_psps_word_that_nothing_happened(psp: str, said: bytes) -> None:
    """It may be sent again."""
    told = await sent(psp, said)

    assert (told.outcome, told.about_request) == (Outcome.TRANSIENT, True)


@pytest.mark.parametrize("psp", PSPS)
async def test_who_is_not_there_was_not_sent_anything(psp: str) -> None:
    """No byte left."""
    async with payer(psp, lambda _: b"") as (adapter, wire):
        pass
    assert not wire.requests
    async with payer(psp, lambda _: HANG) as (adapter, _):
        pass
    # Its server is gone, and the adapter's session with it: a new one to the same place.
    port = wire.url
    client: AdyenClient | PayPalClient
    if psp == "stripe":
        async with opened(port) as stripes_client:
            told = await stripe.StripePayouts(stripes_client).send_payout(
                new_payout(psp), TO[psp], key="k"
            )
    else:
        if psp == "adyen":
            client = AdyenClient(port, "test_key", path=adyen.PATH)
            adapter = adyen.AdyenPayouts(client, balance_account="BA1")
        else:
            client = PayPalClient(port, "id", "secret")  # pragma: allowlist secret
            adapter = paypal.PayPalPayouts(client)
        await client.open()
        told = await adapter.send_payout(new_payout(psp), TO[psp], key="k")
        await client.close()

    assert isinstance(told, Verdict)
    assert (told.outcome, told.delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)


def duplicate(href: str = "https://api.paypal.com/v1/payments/payouts/B1") -> bytes:
    """Write PayPal's refusal of a sender_batch_id that it has."""
    body = {
        "name": "USER_BUSINESS_ERROR",
        "details": [{"field": "SENDER_BATCH_ID", "issue": "Batch with given id exists"}],
        "links": [{"href": href, "rel": "self"}],
    }
    return answer(body, status=400)


async def test_a_duplicate_leads_to_the_original() -> None:
    """PayPal says that it has the batch: it is read, on PayPal's own host as we know it."""

    def script(request: Request) -> bytes:
        is_read = request.line.startswith("GET /v1/payments/payouts/B1 ")
        return (
            answer(good("paypal"))
            if is_read
            else duplicate("https://evil.example/v1/payments/payouts/B1")
        )

    async with payer("paypal", script) as (adapter, wire):
        told = await adapter.send_payout(new_payout("paypal"), TO["paypal"], key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.reference) == (Outcome.SUCCEEDED, "B1")
    assert [request.line.split()[0] for request in wire.requests] == ["POST", "POST", "GET"]


@pytest.mark.parametrize(
    "href", ["", "https://api.paypal.com/v1/payments/payouts/../x", "https://x/v1/other/B1"]
)
async def test_a_duplicate_without_its_original_is_unknown(href: str) -> None:
    """The money may well have moved."""
    told = await sent("paypal", duplicate(href))

    assert (told.outcome, told.psp_code) == (Outcome.UNKNOWN, "USER_BUSINESS_ERROR")


async def test_an_original_that_cannot_be_read_is_unknown() -> None:
    """A look that failed says nothing of the payout."""

    def script(request: Request) -> bytes:
        is_read = request.line.startswith("GET")
        return answer({"name": "NOT_AUTHORIZED"}, status=403) if is_read else duplicate()

    async with payer("paypal", script) as (adapter, _):
        told = await adapter.send_payout(new_payout("paypal"), TO["paypal"], key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.about_request) == (Outcome.UNKNOWN, False)


@pytest.mark.parametrize("psp", ["stripe", "adyen"])
async def test_found_by_our_own_name(psp: str) -> None:
    """Among what is listed; what is not ours is passed over."""
    other = good(psp, **({"id": "tr_9", "metadata": {}} if psp == "stripe" else {"reference": "x"}))
    pages = iter(
        [
            {"data": [other], "has_more": True, "_links": {}},
            {"data": [good(psp)], "has_more": False},
        ]
    )
    if psp == "adyen":
        pages = iter([{"data": [other, good(psp)], "_links": {}}])
    async with payer(psp, lambda _: answer(next(pages))) as (adapter, wire):
        told = await adapter.find_payout(new_payout(psp))

    assert isinstance(told, Verdict)
    assert told.outcome is Outcome.SUCCEEDED
    named = "transfer_group=pout_1" if psp == "stripe" else "reference=att_1"
    assert all(named in request.line for request in wire.requests)


@pytest.mark.parametrize("psp", ["stripe", "adyen"])
async def test_what_is_not_listed_is_absent(psp: str) -> None:
    """An empty list says so; anything else that is no list is unknown."""
    async with payer(psp, lambda _: answer({"data": [], "has_more": False})) as (adapter, _):
        assert isinstance(await adapter.find_payout(new_payout(psp)), Absent)
    async with payer(psp, lambda _: answer({"data": {}})) as (adapter, _):
        told = await adapter.find_payout(new_payout(psp))
    assert isinstance(told, Verdict)
    assert told.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("psp", PSPS)
async def test_known_ones_are_read_by_their_id(psp: str) -> None:
    """One request, by the id alone."""
    reference = read(psp, good(psp)).reference
    async with payer(psp, lambda _: answer(good(psp))) as (adapter, wire):
        told = await adapter.find_payout(new_payout(psp, reference=reference))

    assert isinstance(told, Verdict)
    assert told.outcome is Outcome.SUCCEEDED
    assert wire.requests[-1].line.split()[1].endswith(f"/{reference}")


@pytest.mark.parametrize("psp", PSPS)
async def test_what_is_known_not_to_be_taken(psp: str) -> None:
    """Accounts of another kind, and amounts that the PSP has not; nothing is sent for that."""
    async with payer(psp, lambda _: b"") as (adapter, wire):
        right = adapter.refusal(Money.parse("1.00", "USD"), TO[psp])
        wrong = [
            adapter.refusal(Money.parse("1.00", "USD"), Destination(to))
            for to in (
                PspAccount(psp, Personal("no such")),
                BankAccount(Personal("DE0"), Personal("Jo")),
            )
        ]
        odd = adapter.refusal(Money.parse("1.0001", "CLF"), TO[psp])

    assert right is None
    assert all(isinstance(one, InvalidDestination) for one in wrong)
    assert isinstance(odd, InvalidAmount)
    assert not wire.requests


def test_an_items_name_fits_paypals_63_characters() -> None:
    """Long attempt ids become another name, always the same and their own."""
    long = "att_" + "a" * 60
    names = {paypal.item_name(long), paypal.item_name(long[:-1] + "b")}

    assert paypal.item_name("att_1") == "att_1"
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)
    assert paypal.item_name(long) in names
    paid = replace(new_payout("paypal"), attempt_id=long)
    body = good(
        "paypal",
        batch_header__sender_batch_header__sender_batch_id=long,
        items__0__payout_item__sender_item_id=paypal.item_name(long),
    )
    told = paypal.batch_answer(body, paid, "200")
    assert isinstance(told, Verdict)
    assert told.outcome is Outcome.SUCCEEDED
