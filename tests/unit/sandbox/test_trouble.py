"""What PSPs do to callers beside failing a call: webhooks late, twice or never, lists that lag
behind, holds that run out.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devstack.sandbox.control_input import BadControl, read_lag, read_webhooks
from devstack.sandbox.faults import FaultBook
from devstack.sandbox.jsonwire.messages import Event
from devstack.sandbox.record import Record
from devstack.sandbox.webhooks import Postman
from devstack.sandbox.world import WebhookSwitches, World
from tests.unit.sandbox.running import RunningSandbox

ADYEN_KEY = {"X-API-Key": "test_key", "Content-Type": "application/json"}


@dataclass
class Source:
    """A face with something to tell."""

    psp: str = "adyen"
    events: list[Event] = field(default_factory=list)

    def tell(self, count: int) -> None:
        """Have so many events to tell."""
        self.events += [Event(self.psp, "X", {"number": n}, 0.0) for n in range(count)]

    def drain_events(self) -> list[Event]:
        """Hand them over."""
        drained, self.events = self.events, []
        return drained


@dataclass
class Listening:
    """A running postman, whom it tells, and what came."""

    world: World
    source: Source
    came: list[int]

    async def until(self, fits: Any) -> None:
        """Wait until what came fits."""
        async with asyncio.timeout(60):
            while not fits():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(folder: Path, **switches: Any) -> AsyncIterator[Listening]:
    """Run a postman, and a receiver that refuses the first webhook once."""
    came: list[int] = []

    async def take(request: web.Request) -> web.Response:
        came.append((await request.json())["number"])
        return web.Response(status=200 if len(came) > 1 else 500)

    app = web.Application()
    app.router.add_post("/{psp}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    record = Record(folder / "record.jsonl")
    list(record.open())
    world = World(record, FaultBook(1), webhooks=WebhookSwitches(**switches))
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    source = Source()
    sign = {"adyen": lambda event, _: (b'{"number": %d}' % event.body["number"], {})}
    running = asyncio.create_task(Postman(world, [source], url, sign).run())
    try:
        yield Listening(world, source, came)
    finally:
        world.stopping.set()
        await running
        await runner.cleanup()
        await record.close()


async def test_nothing_is_told_while_it_is_dark(tmp_path: Path) -> None:
    """Neither what is new nor what is tried again leaves; after it all of it comes late."""
    async with listening(tmp_path) as heard:
        heard.source.tell(1)
        await heard.until(lambda: heard.came == [0])  # refused: to be tried again
        heard.world.dark = True
        heard.source.tell(2)
        await heard.until(lambda: heard.world.webhook_counts.waiting == 3)
        await asyncio.sleep(0.7)  # longer than the pause before the second try
        before = list(heard.came)
        heard.world.dark = False
        await heard.until(lambda: heard.world.webhook_counts.sent == 3)

    assert before == [0]
    assert sorted(heard.came) == [0, 0, 0, 1]
    assert heard.world.webhook_counts.waiting == 0


@pytest.mark.parametrize(
    ("switches", "sent", "lost"),
    [({"copies": 3}, 30, 0), ({"copies": 0}, 0, 10), ({"lose": 1.0}, 0, 10), ({"lose": 0.4}, 6, 4)],
    ids=str,
)
async def test_webhooks_come_several_times_or_never(
    tmp_path: Path, switches: Mapping[str, Any], sent: int, lost: int
) -> None:
    """Which are lost is drawn by the seed; what became of each is counted."""
    async with listening(tmp_path, **switches) as heard:
        heard.source.tell(10)
        counts = heard.world.webhook_counts
        await heard.until(lambda: (counts.sent, counts.lost, counts.waiting) == (sent, lost, 0))

    assert len(heard.came) - (1 if sent else 0) == sent  # one was refused once


async def test_what_is_held_comes_late(tmp_path: Path) -> None:
    """It waits until it is let go, in disorder if that is asked for."""
    async with listening(tmp_path, hold=True) as heard:
        heard.source.tell(20)
        await heard.until(lambda: heard.world.webhook_counts.waiting == 20)
        before = list(heard.came)
        heard.world.webhooks = WebhookSwitches(shuffle=True)
        await heard.until(lambda: heard.world.webhook_counts.sent == 20)

    assert before == []
    assert sorted(set(heard.came)) == list(range(20))
    assert heard.came != sorted(heard.came)


def test_lists_lag_behind_and_single_reads_do_not(tmp_path: Path) -> None:
    """What came about a moment ago is in no list of Stripe's until the lag is over; by its id it is
    there at once.
    """
    with RunningSandbox(tmp_path / "record") as sandbox:
        sandbox.control("POST", "/stale", {"lag_s": 60})
        sdk = sandbox.sdk.v1
        paid = {"amount": 500, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
        intent = sdk.payment_intents.create(params=paid)
        refund = sdk.refunds.create(params={"payment_intent": intent.id})
        early = [sdk.payment_intents.list().data, sdk.charges.list().data, sdk.refunds.list().data]
        exact = sdk.payment_intents.retrieve(intent.id), sdk.refunds.retrieve(refund.id)
        sandbox.control("POST", "/clock", {"advance_s": 61})
        late = [len(found.data) for found in (sdk.payment_intents.list(), sdk.refunds.list())]
        newer = sdk.payment_intents.create(params=paid)
        stale = [one.id for one in sdk.payment_intents.list(params={"limit": 100}).data]
        sandbox.control("POST", "/stale", {"lag_s": 0})
        current = [one.id for one in sdk.payment_intents.list().data]

    assert early == [[], [], []]
    assert [one.id for one in exact] == [intent.id, refund.id]
    assert late == [1, 1]
    assert stale == [intent.id]
    assert current == [newer.id, intent.id]


def test_adyens_transfers_are_listed_late(tmp_path: Path) -> None:
    """A look-up by reference says none, and one by the id has it."""
    transfer = {
        "amount": {"value": 500, "currency": "EUR"},
        "category": "bank",
        "reference": "att_1",
        "counterparty": {"transferInstrumentId": "SE1"},
    }
    with RunningSandbox(tmp_path / "record") as sandbox:
        sandbox.control("POST", "/stale", {"lag_s": 60})
        _, made = sandbox.http("POST", "/adyen/v4/transfers", transfer, ADYEN_KEY)
        listed = "/adyen/v4/transfers?reference=att_1"
        early = sandbox.http("GET", listed, None, ADYEN_KEY)[1]["data"]
        exact = sandbox.http("GET", f"/adyen/v4/transfers/{made['id']}", None, ADYEN_KEY)[1]
        sandbox.control("POST", "/clock", {"advance_s": 61})
        late = sandbox.http("GET", listed, None, ADYEN_KEY)[1]["data"]

    assert early == []
    assert exact["id"] == made["id"]
    assert [one["id"] for one in late] == [made["id"]]


def test_adyens_holds_run_out(tmp_path: Path) -> None:
    """After 28 days what is held is let go, and cannot be captured; what was captured stays."""
    payment = {
        "amount": {"value": 500, "currency": "EUR"},
        "merchantAccount": "PaymeshDemo",
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": "card"},
        "shopperReference": "s",
        "returnUrl": "https://shop.example",
        "additionalData": {"manualCapture": "true"},
    }
    half = {"amount": {"value": 200, "currency": "EUR"}, "merchantAccount": "PaymeshDemo"}
    with RunningSandbox(tmp_path / "record") as sandbox:
        held = [
            sandbox.http("POST", "/adyen/v71/payments", payment | {"reference": f"a{n}"}, ADYEN_KEY)
            for n in range(2)
        ]
        first, second = (answer["pspReference"] for _, answer in held)
        sandbox.http("POST", f"/adyen/v71/payments/{second}/captures", half, ADYEN_KEY)
        sandbox.control("POST", "/clock", {"advance_s": 27 * 86_400})
        before = sandbox.kinds()
        sandbox.control("POST", "/clock", {"advance_s": 86_400})
        after = sandbox.kinds()
        sandbox.http("POST", f"/adyen/v71/payments/{first}/captures", half, ADYEN_KEY)
        sandbox.control("POST", "/clock", {"advance_s": 2})
        voided = [e["payment_reference"] for e in sandbox.entries() if e["kind"] == "void"]

        assert before == ["authorization", "authorization", "capture"]
        assert after == [*before, "void"]
        assert sandbox.kinds() == after
        assert voided == [first]


@pytest.mark.parametrize("body", [b'{"lag_s": -1}', b'{"lag_s": "1"}', b"{}", b'{"lag": 1}'])
def test_a_lag_that_is_none_is_refused(body: bytes) -> None:
    """It is told, not swallowed."""
    with pytest.raises(BadControl):
        read_lag(body)


@pytest.mark.parametrize("lose", [b"-0.1", b"1.1", b"true", b'"x"'])
def test_a_chance_that_is_none_is_refused(lose: bytes) -> None:
    """It is from 0 to 1."""
    with pytest.raises(BadControl, match="lose"):
        read_webhooks(b'{"lose": ' + lose + b"}")
