"""What every provider promises the gateway: the PSP in memory and Stripe's wire are held to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.ports import Provider
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.provider import StripeProvider
from tests.servers import free_port
from tests.unit.psp_gateway.fakes import DECLINED_TOKEN, FakePsp
from tests.unit.psp_gateway.sandbox import SECRET_KEY, running_sandbox
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)


@pytest.fixture(params=["memory", "stripe"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    """Each provider in turn."""
    if request.param == "memory":
        yield FakePsp()
        return
    async with running_sandbox(tmp_path) as sandbox:
        client = StripeClient(f"{sandbox.url}/stripe", SECRET_KEY)
        await client.open()
        yield StripeProvider(client)
        await client.close()


async def created(provider: Provider, token: str = "tok") -> Attempt:
    """Make an object at the PSP; answer the attempt that knows its id."""
    answer = await provider.create_charge(new_charge(), token=token, key="att_1:create")
    assert isinstance(answer, Created)
    return replace(new_charge(), psp_reference=answer.reference)


async def charged(provider: Provider) -> Attempt:
    """Charge; answer a refund of it as it would be stored."""
    attempt = await created(provider)
    await provider.confirm_charge(attempt, token="", key="att_1:confirm")
    return replace(new_refund(), charge_reference=attempt.psp_reference)


async def held(provider: Provider) -> tuple[str, Answer]:
    """Hold; answer the PSP's id of it, and what it said."""
    made = await provider.create_charge(new_hold(), token="tok", key="att_1:create")
    assert isinstance(made, Created)
    attempt = replace(new_hold(), psp_reference=made.reference)
    return made.reference, await provider.confirm_charge(attempt, token="", key="att_1:confirm")


def facts(answer: Answer) -> tuple[Outcome, str, Reason | None]:
    """Name what a verdict says."""
    assert isinstance(answer, Verdict)
    assert answer.delivery is Delivery.ANSWERED
    return answer.outcome, answer.reference, answer.reason


async def test_an_object_is_created_found_and_read(provider: Provider) -> None:
    """Created under one key twice it is one object, found by our id, and not confirmed."""
    absent = await provider.find_charge(new_charge())
    attempt = await created(provider)
    again = await created(provider)

    found = await provider.find_charge(new_charge())
    read = await provider.read_charge(attempt)

    assert isinstance(absent, Absent)
    assert again.psp_reference == attempt.psp_reference
    assert isinstance(found, Created)
    assert isinstance(read, Created)
    assert found.reference == read.reference == attempt.psp_reference


async def test_a_confirm_charges_once(provider: Provider) -> None:
    """Confirmed twice under one key it says the same; under another it does not charge again."""
    attempt = await created(provider)
    expected = (Outcome.SUCCEEDED, attempt.psp_reference, None)

    answers = [
        await provider.confirm_charge(attempt, token="", key="att_1:confirm") for _ in range(2)
    ]
    other = await provider.confirm_charge(attempt, token="", key="att_1:confirm-2")
    read = await provider.read_charge(attempt)

    assert [facts(answer) for answer in (*answers, read)] == [expected] * 3
    assert facts(other)[0] is Outcome.UNKNOWN


async def test_a_decline_is_told_and_stays(provider: Provider) -> None:
    """A decline reads the same by its answer and by a look-up."""
    attempt = await created(provider, DECLINED_TOKEN)
    expected = (Outcome.DECLINED, attempt.psp_reference, Reason.CARD_DECLINED)

    told = await provider.confirm_charge(attempt, token="", key="att_1:confirm")
    read = await provider.read_charge(attempt)

    assert (facts(told), facts(read)) == (expected, expected)


async def test_a_refund_is_given_once_and_found(provider: Provider) -> None:
    """Refunded twice under one key it is one refund, found by our id."""
    refund = await charged(provider)
    absent = await provider.find_refund(refund)

    first = await provider.refund_charge(refund, key="att_refund1:refund")
    second = await provider.refund_charge(refund, key="att_refund1:refund")
    found = await provider.find_refund(refund)

    assert isinstance(absent, Absent)
    assert facts(first)[0] is Outcome.SUCCEEDED
    assert facts(first) == facts(second) == facts(found)


async def test_a_hold_reads_the_same_by_answer_and_look_up(provider: Provider) -> None:
    """It is held, until when the PSP says, however it is asked."""
    reference, told = await held(provider)
    attempt = replace(new_hold(), psp_reference=reference)

    again = await provider.confirm_charge(attempt, token="", key="att_1:confirm")
    read = await provider.read_charge(attempt)

    ends = set()
    for answer in (told, again, read):
        assert facts(answer) == (Outcome.SUCCEEDED, reference, None)
        assert isinstance(answer, Verdict)
        ends.add(answer.expires_at)
    assert len(ends) == 1
    assert None not in ends


WORDS = {"capture": new_capture("40.00"), "void": new_void()}


async def say(provider: Provider, word: str, reference: str, key: str) -> Answer:
    """Capture or let go under a key."""
    asked = replace(WORDS[word], charge_reference=reference)
    if word == "capture":
        return await provider.capture_charge(asked, key=key)
    return await provider.void_charge(asked, key=key)


@pytest.mark.parametrize("word", sorted(WORDS))
async def test_a_hold_is_ended_once(provider: Provider, word: str) -> None:
    """Under one key twice it says the same; under another it does nothing more. The look-up tells
    each word what became of it.
    """
    reference, _ = await held(provider)
    asked = replace(WORDS[word], charge_reference=reference)
    expected = (Outcome.SUCCEEDED, reference, None)

    before = await provider.read_hold(asked)
    answers = [await say(provider, word, reference, "one") for _ in range(2)]
    other = await say(provider, word, reference, "two")
    after = await provider.read_hold(asked)

    assert isinstance(before, Absent)
    assert [facts(answer) for answer in (*answers, after)] == [expected] * 3
    assert facts(other)[0] is Outcome.UNKNOWN


async def test_what_was_captured_is_not_let_go(provider: Provider) -> None:
    """A void finds it captured, and a capture of another amount alarms."""
    reference, _ = await held(provider)
    await say(provider, "capture", reference, "one")

    late = await say(provider, "void", reference, "two")
    void = await provider.read_hold(replace(new_void(), charge_reference=reference))
    other = await provider.read_hold(replace(new_capture("1.00"), charge_reference=reference))

    assert facts(late)[0] is Outcome.UNKNOWN
    assert facts(void)[::2] == (Outcome.DECLINED, Reason.ALREADY_CAPTURED)
    assert facts(other)[::2] == (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)


async def test_what_was_let_go_is_not_captured(provider: Provider) -> None:
    """A capture finds it gone."""
    reference, _ = await held(provider)
    await say(provider, "void", reference, "one")

    late = await say(provider, "capture", reference, "two")
    capture = await provider.read_hold(replace(new_capture(), charge_reference=reference))

    assert facts(late)[0] is Outcome.UNKNOWN
    assert facts(capture)[::2] == (Outcome.DECLINED, Reason.PSP_CANCELLED)


async def test_a_replayed_hold_survives_a_restart_of_the_sandbox(tmp_path: Path) -> None:
    """The stored answer under a key is told word for word, the expanded charge included."""
    told = []
    for _ in range(2):
        async with running_sandbox(tmp_path) as sandbox:
            client = StripeClient(f"{sandbox.url}/stripe", SECRET_KEY)
            await client.open()
            told.append((await held(StripeProvider(client)))[1])
            await client.close()

    first, again = told
    assert isinstance(first, Verdict)
    assert isinstance(again, Verdict)
    assert first.expires_at == again.expires_at
    assert facts(first) == facts(again)


async def test_nobody_there_is_not_sent() -> None:
    """A refused connection is told as such."""
    client = StripeClient(f"http://127.0.0.1:{free_port()}", SECRET_KEY)
    await client.open()

    answer = await StripeProvider(client).create_charge(new_charge(), token="tok", key="k")
    await client.close()

    assert isinstance(answer, Verdict)
    assert (answer.outcome, answer.delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)
