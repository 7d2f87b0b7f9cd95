"""Disputes in the sandbox: opened by test tokens, decided by the words of the evidence."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.control_input import BadControl, read_dispute
from tests.unit.sandbox.stripe_face import LocalFace

DAY_S = 86_400.0


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalFace]:
    """Make a face that has something to tell."""
    face = LocalFace(tmp_path / "record.jsonl")
    face.face.tells = True
    yield face
    await face.close()


async def disputed(local: LocalFace, token: str = "pm_card_createDispute") -> dict[str, Any]:
    """Make a charge that is disputed; give the dispute."""
    asked = {"amount": 1000, "currency": "usd", "confirm": "true", "metadata__k": "v"}
    status, intent = await local.call("create", payment_method=token, **asked)
    assert status == 200
    (told,) = [
        event.body["data"]["object"]
        for event in local.face.drain_events()
        if event.event_type == "charge.dispute.created"
    ]
    assert told["payment_intent"] == intent["id"]
    found: dict[str, Any] = told
    return found


async def submitted(local: LocalFace, dispute: dict[str, Any], words: str, **more: str) -> Any:
    """Hand evidence in."""
    given = {"evidence__uncategorized_text": words, "submit": "true", **more}
    return await local.call("update_dispute", dispute["id"], **given)


def moved(local: LocalFace) -> list[tuple[str, int]]:
    """List what happened to money."""
    kinds = {"charge", "dispute_withdrawn", "dispute_reinstated"}
    return [(entry.kind, entry.amount) for entry in local.record.find({"k": "v"}, kinds, 0, 99)]


@pytest.mark.parametrize(
    ("token", "status", "reason", "took"),
    [
        ("pm_card_createDispute", "needs_response", "fraudulent", 1),
        (
            "pm_card_createDisputeProductNotReceived",
            "needs_response",
            "product_not_received",
            1,
        ),
        ("pm_card_createDisputeInquiry", "warning_needs_response", "fraudulent", 0),
    ],
)
async def test_tokens_of_disputes(
    local: LocalFace, token: str, status: str, reason: str, took: int
) -> None:
    """Those that docs.stripe.com/testing publishes; an inquiry takes no money."""
    dispute = await disputed(local, token)

    assert (dispute["status"], dispute["reason"]) == (status, reason)
    assert len(dispute["balance_transactions"]) == took
    assert len(moved(local)) == 1 + took


@pytest.mark.parametrize(
    ("words", "status", "events", "balance"),
    [
        ("winning_evidence", "won", ["funds_reinstated", "closed"], 0),
        ("losing_evidence", "lost", ["closed"], -1000),
        ("We sent it.", "under_review", ["updated"], -1000),
    ],
)
async def test_the_words_decide(
    local: LocalFace, words: str, status: str, events: list[str], balance: int
) -> None:
    """As in Stripe's test mode; each is told by its events."""
    dispute = await disputed(local)

    answered, body = await submitted(local, dispute, words)

    assert (answered, body["status"]) == (200, status)
    assert body["evidence_details"]["submission_count"] == 1
    assert sum(move["amount"] for move in body["balance_transactions"]) == balance
    told = [event.event_type.removeprefix("charge.dispute.") for event in local.face.drain_events()]
    assert told == events


async def test_an_inquiry_escalates_with_the_same_id(local: LocalFace) -> None:
    """Then it takes the money and needs a response again."""
    dispute = await disputed(local, "pm_card_createDisputeInquiry")

    _, body = await submitted(local, dispute, "escalate_inquiry_evidence")

    assert (body["id"], body["status"]) == (dispute["id"], "needs_response")
    assert moved(local)[-1] == ("dispute_withdrawn", 1000)


async def test_evidence_is_taken_once_and_in_time(local: LocalFace) -> None:
    """A second submission is refused, and so is one after the deadline; a draft is none."""
    dispute = await disputed(local)
    staged, body = await local.call(
        "update_dispute", dispute["id"], evidence__customer_name="Jenny"
    )
    assert (staged, body["status"]) == (200, "needs_response")
    await submitted(local, dispute, "We sent it.")
    again, _ = await submitted(local, dispute, "winning_evidence")
    other = await disputed(local)
    local.world.clock.advance(10 * DAY_S)
    late, _ = await submitted(local, other, "winning_evidence")

    assert (again, late) == (400, 400)


async def test_files_must_be_there(local: LocalFace) -> None:
    """Evidence names files that were uploaded."""
    dispute = await disputed(local)
    status, file = await local.call(
        "upload", purpose="dispute_evidence", name="a.pdf", size=4, digest="d"
    )
    assert (status, file["object"]) == (200, "file")

    missing, _ = await submitted(local, dispute, "x", evidence__receipt="file_none")
    there, body = await submitted(local, dispute, "x", evidence__receipt=file["id"])

    assert (missing, there) == (400, 200)
    assert body["evidence"]["receipt"] == file["id"]


async def test_a_dispute_outlives_a_restart(tmp_path: Path) -> None:
    """With its money, its evidence and the answer under its key."""
    local = LocalFace(tmp_path / "record.jsonl")
    local.face.tells = True
    dispute = await disputed(local)
    given = {"evidence__uncategorized_text": "winning_evidence", "submit": "true"}
    first = await local.call("update_dispute", dispute["id"], key="k1", **given)

    again = await local.reopened()

    assert await again.call("update_dispute", dispute["id"], key="k1", **given) == first
    assert (await again.call("retrieve_dispute", dispute["id"]))[1] == first[1]
    await again.close()


async def test_giving_up_loses(local: LocalFace) -> None:
    """It cannot be done twice."""
    dispute = await disputed(local)

    assert (await local.call("close_dispute", dispute["id"]))[1]["status"] == "lost"
    assert (await local.call("close_dispute", dispute["id"]))[0] == 400


async def test_control_opens_and_moves(local: LocalFace) -> None:
    """By a PaymentIntent; only for Stripe's reasons, and to Stripe's statuses."""
    _, intent = await local.call(
        "create", amount=1000, currency="usd", confirm="true", payment_method="pm_card_visa"
    )
    reference = local.face.dispute(intent["id"], "duplicate", "")
    local.face.dispute(reference, "", "won")

    assert (await local.call("retrieve_dispute", reference))[1]["status"] == "won"
    for wrong in (
        (intent["id"], "because", ""),
        ("pi_none", "duplicate", ""),
        (reference, "", "reopened"),
        ("dp_none", "", "won"),
    ):
        with pytest.raises(ValueError, match=r"reason|reference|step"):
            local.face.dispute(*wrong)


@pytest.mark.parametrize(
    "wrong", [b"{}", b"[]", b'{"reference": 1}', b'{"reference": "x", "a": 1}']
)
def test_control_checks_what_it_is_sent(wrong: bytes) -> None:
    """A slip is told."""
    with pytest.raises(BadControl):
        read_dispute(wrong)
