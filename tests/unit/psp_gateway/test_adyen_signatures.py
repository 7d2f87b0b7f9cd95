"""Whose a webhook of Adyen's is: what is not rightly signed is not believed."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import Subject
from psp_gateway.providers.adyen import signature
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks
from tests.unit.psp_gateway.adyen_hooks import (
    KEY,
    NOW,
    TRANSFER,
    body_of,
    new_item,
    read,
    signed,
)
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.vectors.adyen import BODIES, ITEMS


@pytest.mark.parametrize(("key", "item", "mac"), [one[1:] for one in ITEMS])
def test_published_items(key: str, item: dict[str, Any], mac: str) -> None:
    """The signatures that Adyen's libraries publish are right; one of another item is not."""
    hooks = AdyenWebhooks([key])
    whole = {**item, "additionalData": {"hmacSignature": mac}}

    (found,) = hooks.read_webhook({}, body_of(whole), now=NOW)

    assert (found.reference, found.event_type) == (item["pspReference"], item["eventCode"])
    with pytest.raises(BadSignature):
        hooks.read_webhook({}, body_of({**whole, "pspReference": "other"}), now=NOW)


@pytest.mark.parametrize(("key", "body", "mac"), [one[1:] for one in BODIES])
def test_published_bodies(key: str, body: bytes, mac: str) -> None:
    """So are those of the scheme for platforms, which covers each byte of the body."""
    hooks = AdyenWebhooks([key])

    (found,) = hooks.read_webhook({"hmacsignature": mac}, body, now=NOW)

    assert found.subject is Subject.OTHER
    for changed in (body + b" ", json.dumps(json.loads(body)).encode()):
        with pytest.raises(BadSignature):
            hooks.read_webhook({"hmacsignature": mac}, changed, now=NOW)


@pytest.mark.parametrize(
    "field",
    [
        ("pspReference",),
        ("originalReference",),
        ("merchantAccountCode",),
        ("merchantReference",),
        ("amount", "value"),
        ("amount", "currency"),
        ("eventCode",),
        ("success",),
    ],
)
def test_each_signed_field(field: tuple[str, ...]) -> None:
    """No field that the verdict rests on can be changed."""
    item = signed(new_item())
    inner = item[field[0]] if len(field) > 1 else item
    inner[field[-1]] = 1 if field[-1] == "value" else "false"

    with pytest.raises(BadSignature):
        read(body_of(item))


def test_what_is_not_signed_decides_nothing() -> None:
    """`reason` and the rest may be anybody's: only the time, a hint, follows them."""
    item = signed(new_item(success="false"))
    forged = copy.deepcopy(item)
    forged |= {"reason": "Approved", "eventDate": "2020-01-01T00:00:00Z", "paymentMethod": "x"}
    forged["additionalData"] |= {"refusalReasonRaw": "AUTHORISED", "authCode": "1"}

    (true,), (other,) = read(body_of(item)), read(body_of(forged))

    assert other.occurred_at == datetime(2020, 1, 1, tzinfo=UTC)
    assert (other.verdict, other.event_id) == (true.verdict, true.event_id)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("mac", [None, "", "x", "é", "\ud800", "A" * 43 + "=", 7, ["x"]])
def test_every_item_is_checked(position: int, mac: Any) -> None:
    """One item that is not Adyen's spoils all, wherever it stands."""
    items: list[Any] = [signed(new_item(pspReference=f"P{number}")) for number in range(3)]
    assert len(read(body_of(*items))) == 3

    items[position]["additionalData"] = {"hmacSignature": mac} if mac is not None else {}
    with pytest.raises(BadSignature):
        read(body_of(*items))


@pytest.mark.parametrize(
    "content",
    [
        {"notificationItems": []},
        {"notificationItems": None},
        {"notificationItems": {}},
        {"notificationItems": [None]},
        {"notificationItems": [[]]},
        {"notificationItems": [{}]},
        {"notificationItems": [{"NotificationRequestItem": "x"}]},
        {"notificationItems": [{"NotificationRequestItem": new_item()}]},
        {},
        [],
        7,
    ],
)
def test_nothing_signed(content: Any) -> None:
    """Where nothing is signed nothing is believed."""
    with pytest.raises(BadSignature):
        read(json.dumps(content).encode())


@pytest.mark.parametrize(
    "moved",
    [
        {"pspReference": "a:b", "originalReference": "c"},
        {"amount": {"value": "1:1", "currency": "EUR"}},
        {"amount": {"value": 1, "currency": "EUR:x"}},
        {"eventCode": "EUR:AUTHORISATION"},
        {"success": "AUTHORISATION:true"},
        {"merchantAccountCode": "Shop:x"},
    ],
)
def test_no_two_items_sign_alike(moved: dict[str, Any]) -> None:
    """Nothing escapes the colons, so none is taken where it could move a field's border."""
    unsigned = {**new_item(), "merchantReference": "x:1000:EUR:AUTHORISATION"} | moved
    content = ":".join(
        str(part)
        for part in (
            unsigned["pspReference"],
            unsigned.get("originalReference", ""),
            unsigned["merchantAccountCode"],
            unsigned["merchantReference"],
            unsigned["amount"]["value"],
            unsigned["amount"]["currency"],
            unsigned["eventCode"],
            unsigned["success"],
        )
    )
    mac = signature.sign(bytes.fromhex(KEY), content.encode()).decode()

    with pytest.raises(BadSignature):
        read(body_of({**unsigned, "additionalData": {"hmacSignature": mac}}))


@pytest.mark.parametrize("field", ["pspReference", "merchantReference", "eventCode", "success"])
@pytest.mark.parametrize("content", ["\ud800", ["x"], {"x": "y"}])
def test_signed_fields_that_are_no_text(field: str, content: Any) -> None:
    """A signed field that cannot be written down as text is not Adyen's."""
    item = {**new_item(), field: content, "additionalData": {"hmacSignature": "x"}}

    with pytest.raises(BadSignature, match="no text"):
        read(body_of(item))


def test_rotation() -> None:
    """Each of several keys is right, and each item may have another."""
    other = "ff" * 32
    items = [signed(new_item()), signed(new_item("CAPTURE"), other)]

    found = AdyenWebhooks([other, KEY]).read_webhook({}, body_of(*items), now=NOW)

    assert [event.event_type for event in found] == ["AUTHORISATION", "CAPTURE"]


@pytest.mark.parametrize("keys", [[], [""], [KEY, ""], ["nothex"], [KEY[:-1]]])
def test_no_key(keys: list[str]) -> None:
    """There must be keys, in hexadecimal; the refusal does not repeat them."""
    with pytest.raises(ValueError, match="HMAC key") as refused:
        AdyenWebhooks(keys)

    assert not any(key and key in str(refused.value) for key in keys)


def test_a_platforms_body_must_be_signed() -> None:
    """A platform's event without the header, or that is unreadable without it, is not Adyen's."""
    for body in (json.dumps(TRANSFER).encode(), b"not json"):
        for headers in ({}, {"hmacsignature": ""}, {"hmacsignature": "é"}):
            with pytest.raises(BadSignature):
                AdyenWebhooks([KEY]).read_webhook(headers, body, now=NOW)


def test_no_crossing_of_the_schemes() -> None:
    """A signature of one scheme opens nothing in the other."""
    item = new_item()
    mac = signed(item)["additionalData"]["hmacSignature"]
    body = json.dumps(TRANSFER).encode()

    with pytest.raises(UnreadableWebhook):
        read(signature.signed_content(item), hmacsignature=mac)
    whole = signature.sign(bytes.fromhex(KEY), body).decode()
    with pytest.raises(BadSignature):
        read(body_of({**item, "additionalData": {"hmacSignature": whole}}), hmacsignature=whole)


@given(content=json_values, header=st.text())
def test_any_json(content: Any, header: str) -> None:
    """Nobody without the key gets in, whatever the structure, and none throws anything else."""
    for body in (content, {"notificationItems": content}, {"notificationItems": [content]}):
        with pytest.raises(BadSignature):
            read(json.dumps(body).encode(), hmacsignature=header)


@given(body=st.binary(), header=st.text())
def test_any_bytes(body: bytes, header: str) -> None:
    """Nor whatever the bytes."""
    with pytest.raises(BadSignature):
        read(body, hmacsignature=header)
