"""What Adyen's webhooks say of the money."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import BadSignature, UnreadableWebhook
from psp_gateway.domain.psp_event import Subject
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.adyen import event_codes, signature
from tests.unit.psp_gateway.adyen_hooks import (
    ATTEMPT,
    CODES,
    KEY,
    TRANSFER,
    body_of,
    new_item,
    read,
    read_item,
    read_platform,
    signed,
)
from tests.unit.psp_gateway.any_json import json_values

SUCCEEDED = (Outcome.SUCCEEDED, None)
INVALID = (Outcome.DECLINED, Reason.PSP_REQUEST_INVALID)
UNDONE = (Outcome.DECLINED, Reason.PROCESSING_ERROR)
LOOK = (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)


@pytest.mark.parametrize(
    ("code", "subject", "if_true", "if_false"),
    [
        (
            "AUTHORISATION",
            Subject.CHARGE,
            SUCCEEDED,
            (Outcome.DECLINED, Reason.CARD_DECLINED),
        ),
        ("CAPTURE", Subject.CAPTURE, SUCCEEDED, INVALID),
        ("CAPTURE_FAILED", Subject.CAPTURE, UNDONE, LOOK),
        ("CANCELLATION", Subject.VOID, SUCCEEDED, INVALID),
        ("TECHNICAL_CANCEL", Subject.VOID, SUCCEEDED, INVALID),
        ("REFUND", Subject.REFUND, SUCCEEDED, INVALID),
        ("REFUND_FAILED", Subject.REFUND, UNDONE, LOOK),
        ("REFUNDED_REVERSED", Subject.REFUND, UNDONE, LOOK),
        ("POSTPONED_REFUND", Subject.REFUND, (Outcome.PENDING, None), None),
        ("CANCEL_OR_REFUND", Subject.REFUND, LOOK, None),
        ("CHARGEBACK", Subject.DISPUTE, None, LOOK),
        ("SECOND_CHARGEBACK", Subject.DISPUTE, None, LOOK),
        ("PREARBITRATION_WON", Subject.DISPUTE, None, LOOK),
        ("REPORT_AVAILABLE", Subject.REPORT, None, None),
        ("PAIDOUT_REVERSED", Subject.PAYOUT, None, None),
        ("OFFER_CLOSED", Subject.OTHER, None, None),
        ("NEVER_HEARD_OF", Subject.OTHER, None, None),
    ],
)
def test_verdicts(code: str, subject: Subject, if_true: Any, if_false: Any) -> None:
    """What moves money says how it ended; a failure is told with success true."""
    for success, expected in (("true", if_true), ("false", if_false)):
        found = read_item(code, success, originalReference="ORIGINAL")
        verdict = found.verdict

        assert found.subject is subject
        assert (verdict and (verdict.outcome, verdict.reason)) == expected
        if verdict:
            assert verdict.reference == found.reference == "QFQTPCQ8HXSKGK82"
            assert verdict.is_alarm == (expected == LOOK)
            assert verdict.psp_code == (code if verdict.reason else "")


def test_what_an_event_names() -> None:
    """An event names the request, what it is about, our attempt, and the amount as it came."""
    found = read_item("REFUND", originalReference="ORIGINAL")

    assert (found.psp, found.event_type) == ("adyen", "REFUND")
    assert (found.reference, found.charge_reference) == ("QFQTPCQ8HXSKGK82", "ORIGINAL")
    assert (found.attempt_id, found.amount_minor, found.currency) == (ATTEMPT, 9999, "EUR")
    assert found.occurred_at == datetime(2026, 11, 23, 11, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_description(code: str) -> None:
    """Each code that Adyen describes is known, be it as one of no consequence."""
    assert (code in event_codes.SUBJECTS) != (code in event_codes.OTHERS)
    assert read_item(code).subject is event_codes.subject(code)


def test_only_described_codes() -> None:
    """The tables hold no code that Adyen does not describe."""
    assert {*event_codes.SUBJECTS, *event_codes.OTHERS} == set(CODES)


def test_one_event_id_for_each_delivery() -> None:
    """A repetition has the same id; another code, reference or outcome has another."""
    again = read_item("AUTHORISATION", eventDate="2026-11-24T00:00:00Z", reason="x")
    others = [
        read_item("AUTHORISATION", "false"),
        read_item("CAPTURE"),
        read_item("AUTHORISATION", pspReference="QFQTPCQ8HXSKGK83"),
    ]
    first = read_item("AUTHORISATION")

    assert again.event_id == first.event_id
    assert read_item("AUTHORISATION", success=True).event_id == first.event_id
    assert len({first.event_id, *(event.event_id for event in others)}) == 4


@pytest.mark.parametrize("reference", ["8313842560770001", "att_X", "ATT_1", "att_a:b", "xatt_a"])
def test_references_of_others(reference: str) -> None:
    """A reference that is no attempt of ours names none."""
    assert read_item("REFUND", merchantReference=reference).attempt_id == ""


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ({"value": "1130", "currency": "EUR"}, (1130, "EUR")),
        ({"value": 0, "currency": "JPY"}, (0, "JPY")),
        ({"value": -1, "currency": "EUR"}, (None, "EUR")),
        ({"value": "10.5", "currency": "eur"}, (None, "")),
        ({"value": "١", "currency": "EURO"}, (None, "")),
        ({"value": True}, (None, "")),
        (None, (None, "")),
    ],
)
def test_amounts(amount: Any, expected: tuple[int | None, str]) -> None:
    """An amount that is none reads as none, and so agrees with nothing that was asked."""
    found = read_item("AUTHORISATION", amount=amount)

    assert (found.amount_minor, found.currency) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"success": "maybe"},
        {"success": None},
        {"success": 1},
        {"pspReference": ""},
        {"pspReference": None},
        {"pspReference": "x" * 256},
        {"eventCode": None},
        {"eventCode": "\x00"},
    ],
)
def test_unreadable_items(fields: dict[str, Any]) -> None:
    """What is signed and says nothing is called unreadable."""
    with pytest.raises(UnreadableWebhook):
        read(body_of(signed({**new_item(), **fields})))


def test_transfers() -> None:
    """A transfer that leaves the platform is a payout, which Adyen can be asked about."""
    found = read_platform(TRANSFER)

    assert (found.subject, found.reference) == (Subject.PAYOUT, "2WT1N05XXY7P9XH9")
    assert (found.attempt_id, found.amount_minor, found.currency) == (ATTEMPT, 1000, "EUR")
    assert found.occurred_at == datetime(2023, 2, 28, 11, 27, 5, tzinfo=UTC)
    assert found.verdict is None


def test_a_transfer_of_ours_that_stays_inside() -> None:
    """It goes to a balance account, and is known by its reference."""
    data = {**TRANSFER["data"], "category": "internal", "reference": "att_1"}  # type: ignore[dict-item]
    told = read_platform({**TRANSFER, "data": data})

    assert (told.subject, told.attempt_id) == (Subject.PAYOUT, "att_1")


@pytest.mark.parametrize(
    "change", [{"category": "internal", "reference": "theirs"}, {"direction": "incoming"}]
)
def test_transfers_that_are_no_payout(change: dict[str, str]) -> None:
    """One of others that stays inside, or one that comes in, is none."""
    data = {**TRANSFER["data"], **change}  # type: ignore[dict-item]

    assert read_platform({**TRANSFER, "data": data}).subject is Subject.OTHER


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("balancePlatform.report.created", Subject.REPORT),
        ("balancePlatform.dispute.updated", Subject.DISPUTE),
        ("balancePlatform.transaction.created", Subject.OTHER),
        ("never.heard.of", Subject.OTHER),
    ],
)
def test_other_platform_events(kind: str, subject: Subject) -> None:
    """What else the platforms say is sorted by its type."""
    assert read_platform({"type": kind, "data": {"id": "x"}}).subject is subject


def test_one_event_id_for_each_step_of_a_transfer() -> None:
    """Adyen numbers a transfer's events; a repetition has the number again."""
    later = {**TRANSFER, "data": {**TRANSFER["data"], "sequenceNumber": 3}}  # type: ignore[dict-item]
    again = {**TRANSFER, "timestamp": "2023-03-01T00:00:00+02:00"}

    assert read_platform(again).event_id == read_platform(TRANSFER).event_id
    assert read_platform(later).event_id != read_platform(TRANSFER).event_id
    assert read_platform({"type": "x"}).event_id != read_platform({"type": "y"}).event_id


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}", b'{"type":7}', b"[" * 100_000])
def test_unreadable_bodies(body: bytes) -> None:
    """A platform's body that is signed and no event is called unreadable."""
    mac = signature.sign(bytes.fromhex(KEY), body).decode()

    with pytest.raises(UnreadableWebhook):
        read(body, hmacsignature=mac)


fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("pspReference", "merchantReference", "success", "amount", "eventDate"), json_values
    ),
)


@given(changed=fields, code=st.sampled_from(CODES))
def test_any_item(changed: dict[str, Any], code: str) -> None:
    """Whatever stands in a signed item is read, or refused in one of the two ways."""
    with suppress(BadSignature, UnreadableWebhook):
        assert read_item(code, **{"success": "true", **changed}).event_type == code


@given(body=st.binary())
def test_any_signed_bytes(body: bytes) -> None:
    """Any body under a right signature is read, or called unreadable."""
    mac = signature.sign(bytes.fromhex(KEY), body).decode()
    with suppress(UnreadableWebhook):
        assert read(body, hmacsignature=mac)


HOST = "https://ca-test.adyen.com/reports/download/MerchantAccount/Shop"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (f"{HOST}/settlement_detail_report_batch_1.csv", True),
        ("https://balanceplatform-test.adyen.com/x?y=1", True),
        ("http://ca-test.adyen.com/report.csv", False),
        ("https://adyen.com.evil.example/report.csv", False),
        ("https://eviladyen.com/report.csv", False),
        ("https://user@ca-test.adyen.com/report.csv", False),
        ("https://evil.example/@ca-test.adyen.com/report.csv", False),
        ("https://ca-test.adyen.com:8443/report.csv", False),
        ("https://ca-test.adyen.com\\@evil.example/report.csv", False),
        (f"{HOST}/" + "a" * 2048, False),
        ("", False),
        (7, False),
    ],
    ids=str,
)
def test_a_report_is_known_by_its_file_and_adyens_own_address(told: Any, shown: bool) -> None:
    """The name is signed; an address that leads elsewhere is dropped, and none moves money."""
    name = "settlement_detail_report_batch_1.csv"

    event = read_item("REPORT_AVAILABLE", pspReference=name, reason=told)

    assert (event.subject, event.reference, event.verdict) == (Subject.REPORT, name, None)
    assert event.report_url == (told if shown else "")


def test_no_other_event_has_a_report() -> None:
    """An address in the reason of a payment's event is a reason like any other."""
    assert read_item("AUTHORISATION", reason=f"{HOST}/x.csv").report_url == ""


def test_a_report_of_a_platform() -> None:
    """It names file and address in its data."""
    data = {"id": "BPR1", "fileName": "balance.csv", "downloadUrl": f"{HOST}/balance.csv"}

    event = read_platform({"type": "balancePlatform.report.created", "data": data})

    assert (event.reference, event.report_url) == ("balance.csv", f"{HOST}/balance.csv")
