"""Money in the record, under any sequence of calls, faults and restarts."""

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.sandbox.faults import Fault
from tests.unit.sandbox.stripe_face import LocalFace

TOKENS = [
    "pm_card_visa", "psp_card_token_xyz", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required",
    "pm_card_refundFail", "pm_card_pendingRefund", "pm_usBankAccount_success",
]  # fmt: skip
AMOUNTS = st.integers(1, 500)
SOME_KEY = st.sampled_from([None, None, "k1", "k2", "k3"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), AMOUNTS, st.sampled_from(TOKENS), st.booleans(), SOME_KEY),
        st.tuples(st.just("confirm"), st.integers(0, 5), SOME_KEY),
        st.tuples(st.just("capture"), st.integers(0, 5), AMOUNTS, SOME_KEY),
        st.tuples(st.just("cancel"), st.integers(0, 5), SOME_KEY),
        st.tuples(st.just("refund"), st.integers(0, 5), AMOUNTS, SOME_KEY),
        st.tuples(st.just("authenticate"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("advance"), st.sampled_from([30, 90, 90_000, 300_000])),
        st.tuples(st.just("fault"), st.sampled_from(["error_before", "error_after", "rate_limit"])),
        st.tuples(st.just("restart")),
    ),
    max_size=25,
)


class Session:
    """A face under test, and the intents made so far."""

    def __init__(self, local: LocalFace) -> None:
        self.local = local
        self.intents: list[str] = []

    async def step(self, name: str, *arguments: Any) -> None:
        """Do one step; a refusal is fine."""
        if name == "create":
            await self.create(*arguments)
        elif name == "advance":
            self.local.world.clock.advance(*arguments)
        elif name == "fault":
            faults = self.local.world.faults
            faults.add(Fault(faults.next_number(), *arguments))
        elif name == "restart":
            offset = self.local.world.clock.offset_s
            self.local = await self.local.reopened()
            self.local.world.clock.offset_s = offset
        elif self.intents:
            await self.touch(name, self.intents[arguments[0] % len(self.intents)], *arguments[1:])

    async def create(self, amount: int, token: str, manual: bool, key: str | None) -> None:
        """Create and confirm an intent."""
        await self.local.call(
            "create", key=key, amount=amount, currency="usd", payment_method=token, confirm="true",
            capture_method="manual" if manual else "automatic",
        )  # fmt: skip
        _, page = await self.local.call("list", limit=100)
        if "data" in page:
            self.intents = [intent["id"] for intent in page["data"]]

    async def touch(self, name: str, intent: str, *arguments: Any) -> None:
        """Do something to an intent."""
        if name == "authenticate":
            _, body = await self.local.call("retrieve", intent)
            if body.get("status") == "requires_action":
                await self.local.face.authenticate(intent, passed=arguments[0])
        elif name == "refund":
            await self.local.call(
                "refund", key=arguments[1], payment_intent=intent, amount=arguments[0]
            )
        elif name == "capture":
            await self.local.call("capture", intent, arguments[1], amount_to_capture=arguments[0])
        elif name == "confirm":
            await self.local.call("confirm", intent, arguments[0], payment_method="pm_card_visa")
        else:
            await self.local.call("cancel", intent, arguments[0])


def money_of(path: Path) -> dict[str, Counter[str]]:
    """Sum the record's file by payment and kind."""
    sums: dict[str, Counter[str]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        sums.setdefault(entry["payment_reference"], Counter())[entry["kind"]] += entry["amount"]
    return sums


async def truth(local: LocalFace) -> dict[str, Any]:
    """Read all that the face says of its objects."""
    local.world.faults.clear()
    answers = [
        (await local.call(kind, limit=100))[1] for kind in ("list", "list_charges", "list_refunds")
    ]
    return {"answers": answers, "state": local.face.state()}


async def check(steps: list[tuple[Any, ...]], path: Path) -> None:
    """Run the steps, then compare the record with the face, and the face with itself restarted."""
    session = Session(LocalFace(path))
    for step in steps:
        await session.step(*step)
    before = await truth(session.local)
    offset = session.local.world.clock.offset_s
    await session.local.close()
    sums = money_of(path)
    again = LocalFace(path)
    again.world.clock.offset_s = offset

    for intent in before["answers"][0]["data"]:
        money = sums[intent["id"]]
        taken = money["charge"] + money["capture"]
        assert taken == intent["amount_received"] <= intent["amount"]
        assert money["capture"] + money["void"] <= money["authorization"]
        assert 0 <= money["refund"] - money["refund_failed"] <= taken
    for charge in before["answers"][1]["data"]:
        assert charge["amount_refunded"] <= charge["amount_captured"] <= charge["amount"]
    assert await truth(again) == before
    await again.close()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_money_never_exceeds_and_survives(steps: list[tuple[Any, ...]]) -> None:
    """No more is captured than held, nor refunded than captured; a restart changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(steps, Path(folder) / "record"))
