"""Adyen's words of a dispute, in any order; and its answers, none of which is believed blindly."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, News, Reason, Source, Stage, Status, follows
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.providers.adyen.client import AdyenClient
from psp_gateway.providers.adyen.dispute_events import MEANINGS, REASONS, SILENT, Word, sum_up
from psp_gateway.providers.adyen.disputes import AdyenDisputes
from psp_gateway.providers.adyen.event_codes import SUBJECTS
from psp_gateway.use_cases.follow_disputes import Following, follow_dispute
from tests.unit.psp_gateway.dispute_book import MemoryBook
from tests.unit.psp_gateway.test_take_further import new_charge
from tests.unit.psp_gateway.wire import answer, scripted

NOW = datetime(2026, 11, 1, tzinfo=UTC)
# docs.adyen.com/risk-management/understanding-disputes/dispute-process-and-flow
COURSES: tuple[tuple[tuple[str, ...], tuple[Stage, Status, bool]], ...] = (
    (("REQUEST_FOR_INFORMATION",), (Stage.INQUIRY, Status.NEEDS_RESPONSE, False)),
    (
        ("REQUEST_FOR_INFORMATION", "INFORMATION_SUPPLIED"),
        (Stage.INQUIRY, Status.UNDER_REVIEW, False),
    ),
    (
        ("REQUEST_FOR_INFORMATION", "INFORMATION_SUPPLIED", "CHARGEBACK"),
        (Stage.CHARGEBACK, Status.NEEDS_RESPONSE, True),
    ),
    (("NOTIFICATION_OF_CHARGEBACK",), (Stage.CHARGEBACK, Status.NEEDS_RESPONSE, False)),
    (
        ("NOTIFICATION_OF_CHARGEBACK", "INFORMATION_SUPPLIED", "CHARGEBACK"),
        (Stage.CHARGEBACK, Status.UNDER_REVIEW, True),
    ),
    (
        ("NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "DISPUTE_DEFENSE_PERIOD_ENDED"),
        (Stage.CHARGEBACK, Status.LOST, True),
    ),
    (
        ("CHARGEBACK", "INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED"),
        (Stage.CHARGEBACK, Status.WON, False),
    ),
    (
        ("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK"),
        (Stage.CHARGEBACK, Status.LOST, True),
    ),
    (
        ("CHARGEBACK", "CHARGEBACK_REVERSED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"),
        (Stage.CHARGEBACK, Status.WON, False),
    ),
    (
        ("CHARGEBACK", "CHARGEBACK_REVERSED", "PREARBITRATION_OPEN"),
        (Stage.PRE_ARBITRATION, Status.NEEDS_RESPONSE, False),
    ),
    (
        ("CHARGEBACK", "CHARGEBACK_REVERSED", "PREARBITRATION_OPEN", "PREARBITRATION_LOST"),
        (Stage.PRE_ARBITRATION, Status.LOST, True),
    ),
    (
        (
            *("CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION_OPEN"),
            *("PREARBITRATION_DECLINED", "SCHEME_ARBITRATION", "SCHEME_ARBITRATION_WON"),
        ),
        (Stage.PRE_ARBITRATION, Status.WON, False),
    ),
)


def event(code: str, amount: int = 1000) -> PspEvent:
    """Make an event of a dispute."""
    return PspEvent(
        psp="adyen",
        event_id=code,
        event_type=code,
        subject=Subject.DISPUTE,
        reference="DSP1",
        amount_minor=amount,
        currency="EUR",
        told_code="13.1" if code == "CHARGEBACK" else "",
    )


def heard(disputes: AdyenDisputes, codes: list[str]) -> Dispute:
    """Take words in, one by one, as they are followed."""
    dispute: Dispute | None = None
    for code in codes:
        told = disputes.told(event(code), dispute)
        if told is None or isinstance(told, str) or (dispute and dispute.knows(Source.TOLD, code)):
            continue
        before = dispute or made()
        word = News(NOW, Source.TOLD, code, amount=told.told_amount, psp_code=event(code).told_code)
        dispute = before.joined(told, word)
    assert dispute is not None
    return dispute


def made(**fields: Any) -> Dispute:
    """Make a dispute that nobody has said anything of."""
    dispute = Dispute(
        dispute_id="dsp_1",
        psp="adyen",
        psp_reference="DSP1",
        attempt_id="att_1",
        payment_id="pay_1",
        amount=Money(Decimal("10.00"), "EUR"),
        reason=Reason.OTHER,
        psp_code="",
        stage=Stage.CHARGEBACK,
        status=Status.NEEDS_RESPONSE,
        evidence_due_at=None,
        is_money_withdrawn=False,
        opened_at=NOW,
        updated_at=NOW,
    )
    return replace(dispute, **fields)


DISPUTES = AdyenDisputes(AdyenClient("http://127.0.0.1:1", "key"), merchant_account="Shop")


@given(st.data(), st.sampled_from(COURSES))
def test_any_order_and_repetition_ends_the_same(
    data: st.DataObject, course: tuple[tuple[str, ...], tuple[Stage, Status, bool]]
) -> None:
    """Each of Adyen's courses, shuffled and repeated, ends as it does in its own order."""
    codes, end = course
    more = data.draw(st.lists(st.sampled_from(codes), max_size=5))
    shuffled = data.draw(st.permutations([*codes, *more, "ISSUER_COMMENTS"]))

    ended, in_order = heard(DISPUTES, list(shuffled)), heard(DISPUTES, list(codes))

    assert (ended.stage, ended.status, ended.is_money_withdrawn) == end
    assert replace(ended, history=()) == replace(in_order, history=())


@given(st.lists(st.sampled_from(sorted(MEANINGS)), min_size=1), st.randoms())
def test_even_what_adyen_never_says_together_is_one(codes: list[str], random: Any) -> None:
    """No set of words depends on its order, though no such dispute may ever be."""
    shuffled = [*codes, *codes]
    random.shuffle(shuffled)

    one, other = heard(DISPUTES, codes), heard(DISPUTES, shuffled)

    assert replace(one, history=()) == replace(other, history=())


def test_every_word_is_known() -> None:
    """All of Adyen's codes of disputes mean something, each at a place of its own."""
    codes = {code for code, subject in SUBJECTS.items() if subject is Subject.DISPUTE}

    assert codes == MEANINGS.keys() | SILENT
    ranks = [meaning.rank for meaning in MEANINGS.values()]
    assert len(ranks) == len(set(ranks))
    assert sorted(ranks) == ranks


def test_each_course_is_one_that_a_dispute_may_take() -> None:
    """In its own order no course goes backwards by the table of moves."""
    for codes, _ in COURSES:
        states = [heard(DISPUTES, list(codes[: n + 1])) for n in range(len(codes))]
        for one, other in pairwise(states):
            assert follows(one.stage, one.status, other.stage, other.status), codes


def test_reasons_of_the_schemes_are_told_apart() -> None:
    """A code of each scheme, by its published meaning; an unknown one is OTHER."""
    cases = {
        "10.4": Reason.FRAUD,
        "4837": Reason.FRAUD,
        "F24": Reason.FRAUD,
        "13.1": Reason.NOT_RECEIVED,
        "C08": Reason.NOT_RECEIVED,
        "4853": Reason.NOT_AS_DESCRIBED,
        "12.6.1": Reason.DUPLICATE,
        "4860": Reason.CREDIT_NOT_PROCESSED,
        "13.7": Reason.CANCELLED,
        "11.3": Reason.PROCESSING_ERROR,
    }

    assert {code: REASONS[code] for code in cases} == cases
    word = Word("CHARGEBACK", amount=Money(Decimal(10), "EUR"), reason_code="zz")
    standing = sum_up("DSP1", [word])
    assert standing is not None
    assert (standing.reason, standing.psp_code) == (Reason.OTHER, "zz")


def test_our_acceptance_outlives_the_end_of_the_period() -> None:
    """That the period ended is told because we accepted."""
    before = heard(DISPUTES, ["CHARGEBACK"])
    accepted = before.joined(DISPUTES.answered(before, "ACCEPT"), News(NOW, Source.ASKED, "ACCEPT"))

    told = DISPUTES.told(event("DISPUTE_DEFENSE_PERIOD_ENDED"), accepted)

    assert told is not None
    assert not isinstance(told, str)
    assert told.status is Status.ACCEPTED


def test_what_says_nothing_waits_for_no_charge() -> None:
    """Comments, and the events of a platform's own disputes, are kept at once."""
    following = Following(MemoryBook(), {}, {"adyen": DISPUTES}, {}, lambda: NOW)
    for code, state in (
        ("ISSUER_COMMENTS", State.KEPT),
        ("balancePlatform.dispute.created", State.KEPT),
        ("CHARGEBACK", State.PARKED),
    ):
        told = asyncio.run(follow_dispute(following, Told(1, event(code), NOW), []))
        assert told.state is state


def test_an_amount_above_the_charge_is_kept_and_told() -> None:
    """The deadline of the dispute counts all the same; a person looks at the amount."""
    book = MemoryBook()
    following = Following(book, {}, {"adyen": DISPUTES}, {}, lambda: NOW)
    charge = replace(new_charge(), psp="adyen", amount=Money(Decimal("9.99"), "EUR"))

    told = asyncio.run(follow_dispute(following, Told(1, event("CHARGEBACK"), NOW), [charge]))

    assert told.state is State.CONTRADICTS
    assert "10.00 EUR is not within the charge" in told.note
    assert [d.status for d in book.disputes.values()] == [Status.NEEDS_RESPONSE]


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_that_is_none_is_told(amount: int) -> None:
    """A dispute of nothing is for a person."""
    assert DISPUTES.told(event("CHARGEBACK", amount), None) == "The amount cannot be read."


DOCUMENT = File("receipt", "a.pdf", "application/pdf", b"%PDF")
OFFER = {
    "defenseReasons": [
        {
            "defenseReasonCode": "SupplyDefenseMaterial",
            "satisfied": False,
            "defenseDocumentTypes": [
                {"defenseDocumentTypeCode": "TIDorInvoice", "requirementLevel": "Optional"},
                {"defenseDocumentTypeCode": "DefenseMaterial", "requirementLevel": "Required"},
            ],
        }
    ],
    "disputeServiceResult": {"success": True},
}
DONE = {"disputeServiceResult": {"success": True}}
NO = {"disputeServiceResult": {"success": False, "errorMessage": "canary"}}
FAILURE = {"status": 422, "errorCode": "905", "message": "canary", "errorType": "validation"}


def asked(*answers: bytes) -> tuple[Verdict, list[str]]:
    """Hand evidence in at an Adyen that answers so; give the verdict and the calls."""

    async def ask() -> tuple[Verdict, list[str]]:
        script = iter(answers)
        async with scripted(lambda _: next(script)) as wire:
            client = AdyenClient(wire.url, "key", timeout_s=30.0, path="v30")
            await client.open()
            disputes = AdyenDisputes(client, merchant_account="Shop")
            evidence = Evidence({}, (DOCUMENT,))
            found = await disputes.submit_evidence(
                made(), evidence, key="dsp_1:r:submit:1", is_again=False
            )
            await client.close()
        assert isinstance(found, Verdict)
        return found, [request.line.split()[1].rpartition("/")[2] for request in wire.requests]

    return asyncio.run(ask())


def test_the_only_defence_is_taken_by_itself() -> None:
    """Documents first, then the defence."""
    verdict, calls = asked(answer(OFFER), answer(DONE), answer(DONE))

    assert verdict.outcome is Outcome.SUCCEEDED
    assert calls == ["retrieveApplicableDefenseReasons", "supplyDefenseDocument", "defendDispute"]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([answer(NO)], Outcome.DECLINED),
        ([answer({}, status=500)], Outcome.TRANSIENT),
        ([b""], Outcome.TRANSIENT),
        ([answer(OFFER), answer(NO)], Outcome.DECLINED),
        ([answer(OFFER), b""], Outcome.TRANSIENT),
        ([answer(OFFER), answer(DONE), answer(NO)], Outcome.DECLINED),
        ([answer(OFFER), answer(DONE), answer(FAILURE, status=422)], Outcome.DECLINED),
        ([answer(OFFER), answer(DONE), answer({}, status=200)], Outcome.UNKNOWN),
        ([answer(OFFER), answer(DONE), answer(b"<html>")], Outcome.UNKNOWN),
        ([answer(OFFER), answer(DONE), answer({}, status=500)], Outcome.UNKNOWN),
        ([answer(OFFER), answer(DONE), b""], Outcome.UNKNOWN),
    ],
)
def test_only_the_defence_itself_can_be_unknown(answers: list[bytes], outcome: Outcome) -> None:
    """What goes before it did nothing at the scheme; and Adyen's sentence is in no verdict."""
    verdict, _ = asked(*answers)

    assert verdict.outcome is outcome
    assert "canary" not in repr(verdict)
