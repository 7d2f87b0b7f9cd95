"""Posting templates: whatever valid facts they are given, they balance, and never change."""

import json
import os
import re
from collections import defaultdict
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from ledger_svc.domain import chart, errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Posting
from ledger_svc.domain.templates.catalogue import PUBLISHED, published
from ledger_svc.domain.templates.errors import TemplateMismatch
from ledger_svc.domain.templates.template import Share, Template
from payment_svc.domain import books
from tests.unit.ledger_svc.template_facts import CURRENCIES, FACTS
from tests.unit.ledger_svc.template_samples import (
    OTHER,
    PAYMENT,
    SAMPLES,
    Sample,
    of,
    share,
)

GOLDEN = Path(__file__).with_name("published_templates.json")
LINES = range(2, 65)


@st.composite
def postings(draw: st.DrawFn) -> tuple[Template[Any], Posting]:
    """Draw a template and what it makes of any valid facts in any currency."""
    template = draw(st.sampled_from(PUBLISHED))
    facts = draw(FACTS[template.tag](draw(CURRENCIES)))
    return template, template.expand(facts, subject_id=PAYMENT)


def sums(posting: Posting) -> dict[str, Decimal]:
    """Sum debits less credits, by currency."""
    result: dict[str, Decimal] = defaultdict(Decimal)
    for line in posting.lines:
        sign = 1 if line.side is Side.DEBIT else -1
        result[line.amount.currency] += sign * line.amount.amount
    return result


def sample(tag: str) -> Sample:
    """Find the first example of a template."""
    return next(each for each in SAMPLES if f"{each.name}/{each.version}" == tag)


@given(drawn=postings())
def test_every_template_balances(drawn: tuple[Template[Any], Posting]) -> None:
    """In each currency debits are credits, of amounts above zero, in as many lines as may be."""
    _, posting = drawn

    assert set(sums(posting).values()) == {Decimal(0)}
    assert all(line.amount.amount > 0 for line in posting.lines)
    assert len(posting.lines) in LINES


@given(drawn=postings())
def test_every_account_is_in_the_chart(drawn: tuple[Template[Any], Posting]) -> None:
    """A template names accounts of the chart alone, each in the currency of its line."""
    for line in drawn[1].lines:
        account = chart.parse(line.account_id)
        assert account is not None, line.account_id
        assert account.currency == line.amount.currency


@given(drawn=postings())
def test_every_posting_says_what_it_is(drawn: tuple[Template[Any], Posting]) -> None:
    """It is marked by template and version; the reference leaves room to reverse it."""
    template, posting = drawn

    assert (posting.template, bool(posting.description)) == (template.tag, True)
    assert len(posting.description) <= 200
    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,180}", posting.reference, re.ASCII)
    assert posting.subject_id == PAYMENT


@pytest.mark.parametrize("tag", FACTS)
@given(data=st.data())
def test_each_template_balances_in_each_kind_of_currency(tag: str, data: st.DataObject) -> None:
    """No template is left out, and none of 0, 2, 3 or 4 decimals."""
    template = published(*_split(tag))
    for currency in ("JPY", "USD", "KWD", "CLF"):
        posting = template.expand(data.draw(FACTS[tag](currency)))
        assert set(sums(posting).values()) == {Decimal(0)}


def _split(tag: str) -> tuple[str, int]:
    name, _, version = tag.partition("/")
    return name, int(version)


def written(posting: Posting) -> list[str]:
    """Write down all that a template decides, in full: a digest would not tell what differs."""
    lines = [f"{x.side} {x.amount} {x.amount.currency} {x.account_id}" for x in posting.lines]
    return [posting.reference, posting.template, posting.description, *lines]


def test_published_versions_never_change() -> None:
    """Every example makes what it made when its version was published.

    UPDATE_PAGES=1 adds what new examples make; it never replaces what is there.
    """
    made = {each.key: written(each.expand()) for each in SAMPLES}
    if os.environ.get("UPDATE_PAGES"):
        known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
        GOLDEN.write_text(json.dumps(made | known, indent=2) + "\n")

    assert len(made) == len(SAMPLES)
    assert json.loads(GOLDEN.read_text()) == made, "publish a new version, or UPDATE_PAGES=1"


def test_every_template_has_its_example_and_its_facts() -> None:
    """Nothing is published that no example pins and no property test draws."""
    tags = [template.tag for template in PUBLISHED]

    assert len(set(tags)) == len(tags)
    assert {f"{each.name}/{each.version}" for each in SAMPLES} == set(tags) == set(FACTS)
    for template in PUBLISHED:
        assert re.fullmatch("[a-z][a-z0-9_]*", template.name)
        assert template.used.endswith(".")


def test_captured_books_what_the_coordinator_books() -> None:
    """The same reference and lines as a coordinator that writes its own entries."""
    facts = replace(sample("captured/1").facts, shares=(share("99.99"),), platform_fee=None)

    posting = published("captured", 1).expand(facts)

    assert posting.reference == books.captured_reference(PAYMENT)
    assert [(x.account_id, x.side, str(x.amount)) for x in posting.lines] == [
        (books.clearing_account("stripe", "USD"), Side.DEBIT, "99.99"),
        (books.seller_account("demo", "seller_456", "USD"), Side.CREDIT, "99.99"),
    ]
    order = published("captured", 1).expand(replace(facts, scope="ord_1"))
    assert order.reference == books.captured_reference("ord_1")


@pytest.mark.parametrize("each", SAMPLES, ids=lambda each: each.key)
def test_no_amount_may_be_zero_or_below(each: Sample) -> None:
    """Whichever amount is not above zero: the template refuses, and never leaves the line out."""
    template = published(each.name, each.version)
    names = [f.name for f in fields(each.facts) if isinstance(getattr(each.facts, f.name), Money)]
    assert names
    for name in names:
        currency = getattr(each.facts, name).currency
        for wrong in (Money.zero(currency), -of("1", currency)):
            with pytest.raises((errors.InvalidAmount, errors.Unbalanced, TemplateMismatch)):
                template.expand(replace(each.facts, **{name: wrong}))


@pytest.mark.parametrize(
    ("tag", "changed"),
    [
        ("captured/1", {"amount": of("100.00")}),
        ("captured/1", {"platform_fee": None}),
        ("captured/1", {"shares": (share("94.98"),)}),
        ("platform_fee/1", {"amount": of("4.99")}),
        ("refund_initiated/1", {"fee_returned": of("1.49")}),
        ("refund_failed/1", {"amount": of("30.01")}),
    ],
)
def test_parts_sum_to_their_whole(tag: str, changed: dict[str, Any]) -> None:
    """A cent more or less is UNBALANCED."""
    with pytest.raises(errors.Unbalanced):
        _changed(tag, **changed)


YEN = of("100", "JPY")


@pytest.mark.parametrize(
    ("tag", "changed", "field"),
    [
        ("captured/1", {"shares": ()}, "shares"),
        ("captured/1", {"shares": (share("1.00"),) * 63}, "shares"),
        ("captured/1", {"shares": (share("94.99"), Share(OTHER, YEN))}, "shares[1].amount"),
        ("captured/1", {"shares": (share("94.99", "a:b"),)}, "seller"),
        ("captured/1", {"platform_fee": YEN}, "platform_fee"),
        ("captured/1", {"scope": "ref_1"}, "scope"),
        ("captured/1", {"scope": "pay_1:reversal"}, "scope"),
        ("captured/1", {"psp": "str:ipe"}, "psp"),
        ("captured/1", {"client": ""}, "client"),
        ("platform_fee/1", {"shares": ()}, "shares"),
        ("platform_fee/1", {"shares": (share("1.00"),) * 63}, "shares"),
        ("platform_fee/1", {"shares": (Share(OTHER, YEN),)}, "shares[0].amount"),
        ("refund_initiated/1", {"shares": ()}, "shares"),
        ("refund_initiated/1", {"shares": (share("1.00"),) * 63}, "shares"),
        ("refund_failed/1", {"shares": (Share(OTHER, YEN),)}, "shares[0].amount"),
        ("refund_initiated/1", {"fee_returned": YEN}, "fee_returned"),
        ("refund_initiated/1", {"refund_id": ""}, "refund_id"),
        ("refund_paid/1", {"buyer": "a b"}, "buyer"),
        ("payout_initiated/1", {"rail": "A"}, "rail"),
        ("payout_settled/1", {"drawn_on": "bank:citizens:EUR"}, "drawn_on"),
        ("payout_settled/1", {"drawn_on": "platform:revenue:USD"}, "drawn_on"),
        ("payout_settled/1", {"drawn_on": "cash"}, "drawn_on"),
        ("payout_returned/1", {"drawn_on": "bank:citizens:USD"}, "drawn_on"),
        ("chargeback_opened/1", {"reserved": (share("70.00"),)}, "reserved"),
        ("chargeback_opened/1", {"reserved": (share("1.00"),) * 60}, "reserved"),
        ("chargeback_opened/1", {"fee": YEN}, "fee"),
        ("chargeback_won/1", {"reserved": (Share(OTHER, YEN),)}, "reserved[0].amount"),
        ("chargeback_lost/1", {"reserved": of("70.00")}, "reserved"),
        ("chargeback_lost/1", {"reserved": of("1", "JPY")}, "reserved"),
        ("converted/1", {"bought": of("99.00"), "spread": None}, "bought"),
        ("converted/1", {"spread": of("1.00")}, "spread"),
        ("conversion_covered/1", {"booked": of("1.00")}, "booked"),
        ("settled/1", {"received": YEN}, "received"),
        ("settled/1", {"fees": YEN}, "fees"),
        ("settled/1", {"settlement_id": "po 1"}, "settlement_id"),
        ("settlement_claimed/1", {"paid": YEN}, "paid"),
        ("suspense_released/1", {"explained_by": "suspense:adyen:USD"}, "explained_by"),
        ("suspense_released/1", {"explained_by": "bank:citizens:EUR"}, "explained_by"),
        ("suspense_released/1", {"explained_by": "nobody"}, "explained_by"),
        ("suspense_released/1", {"source": "A"}, "source"),
    ],
)
def test_facts_that_do_not_go_together_are_refused(
    tag: str, changed: dict[str, Any], field: str
) -> None:
    """The refusal names the template and the fact at fault."""
    with pytest.raises(TemplateMismatch) as refusal:
        _changed(tag, **changed)

    assert refusal.value.metadata == {"template": tag, "field": field}
    assert refusal.value.message.startswith(f"{tag}: {field} ")


def test_an_amount_below_zero_in_a_share_is_refused_by_its_place() -> None:
    """Shares are checked one by one, before their sum."""
    shares = (share("95.99"), Share(OTHER, -of("1.00")))

    with pytest.raises(errors.InvalidAmount) as refusal:
        published("captured", 1).expand(replace(sample("captured/1").facts, shares=shares))

    assert refusal.value.metadata == {"field": "shares[1].amount"}


def test_a_sum_that_the_books_cannot_hold_is_refused() -> None:
    """Amounts that are each in range may together pass it."""
    most = of("9" * 15)
    parts = (Share(OTHER, most), Share(OTHER, most))

    with pytest.raises(errors.InvalidAmount) as refusal:
        _changed("chargeback_opened/1", reserved=parts)
    assert refusal.value.metadata == {"field": "reserved"}
    with pytest.raises(errors.InvalidAmount) as refusal:
        _changed("settled/1", received=most, fees=most)
    assert refusal.value.metadata == {"field": "fees"}
    with pytest.raises(errors.Unbalanced):
        _changed("captured/1", shares=parts)


def _changed(tag: str, **changed: Any) -> Posting:
    return published(*_split(tag)).expand(replace(sample(tag).facts, **changed))


def test_a_version_that_was_never_published_is_refused() -> None:
    """Nobody posts by a rule that is not there."""
    for name, version in (("captured", 0), ("captured", 2), ("bribed", 1)):
        with pytest.raises(TemplateMismatch) as refusal:
            published(name, version)
        assert refusal.value.metadata["field"] == "version"
