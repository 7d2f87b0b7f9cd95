"""Templates over the wire: every fact arrives, and what cannot be is refused by its name."""

from dataclasses import fields
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paymesh.ledger.v1 import template_pb2 as wire
from paymesh.ledger.v1.template_pb2 import PostingTemplate, TemplateShare
from protovalidate import Validator

from chassis.money import Money
from ledger_svc import template_messages
from ledger_svc.domain import errors
from ledger_svc.domain.templates.catalogue import PUBLISHED
from ledger_svc.domain.templates.errors import TemplateMismatch
from ledger_svc.domain.templates.payouts import PayoutStage
from ledger_svc.domain.templates.settlements import Excess
from ledger_svc.domain.templates.template import Template
from tests.unit.ledger_svc.builders import NOW
from tests.unit.ledger_svc.template_facts import CURRENCIES, FACTS
from tests.unit.ledger_svc.template_samples import PAYMENT, SAMPLES, Sample

_RENAMED = {"client": "client_id", "buyer": "buyer_id"}
_VALIDATOR = Validator()


def written(name: str, facts: Any, version: int = 1) -> PostingTemplate:
    """Write facts as a caller would, field by field."""
    asked = PostingTemplate(version=version)
    message = getattr(asked, name)
    message.SetInParent()
    for fact in fields(facts):
        _write(message, fact.name, getattr(facts, fact.name))
    return asked


def _write(message: Any, name: str, value: Any) -> None:
    match value:
        case None | "":
            pass
        case Money():
            setattr(message, name, str(value))
            own = "sold_currency" if name == "sold" else "bought_currency"
            currency = own if hasattr(message, own) else "currency"
            setattr(message, currency, value.currency)
        case tuple():
            shares = [TemplateShare(seller=s.seller, amount=str(s.amount)) for s in value]
            getattr(message, name).extend(shares)
        case StrEnum():
            setattr(message, name, getattr(type(message), value.name))
        case _:
            setattr(message, _RENAMED.get(name, name), value)


@st.composite
def drawn_facts(draw: st.DrawFn) -> tuple[Template[Any], Any]:
    """Draw a template and valid facts of it."""
    template = draw(st.sampled_from(PUBLISHED))
    return template, draw(FACTS[template.tag](draw(CURRENCIES)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.key)
def test_an_example_arrives_whole(sample: Sample) -> None:
    """What is sent as a message is posted as what the facts make, under the same name."""
    asked, posting = written(sample.name, sample.facts, sample.version), sample.expand()

    _VALIDATOR.validate(asked)
    made = template_messages.posting(
        asked, reference=posting.reference, subject_id=PAYMENT, effective_at=NOW
    )

    assert (made.lines, made.reference) == (posting.lines, posting.reference)
    assert (made.description, made.subject_id) == (posting.description, PAYMENT)
    assert made.effective_at == NOW


@given(drawn=drawn_facts())
def test_any_facts_arrive_whole(drawn: tuple[Template[Any], Any]) -> None:
    """No fact is lost or exchanged for another on the way, and none is refused by the message."""
    template, facts = drawn
    posting = template.expand(facts)

    asked = written(template.name, facts)

    _VALIDATOR.validate(asked)
    assert template_messages.posting(asked, reference=posting.reference) == posting


def test_every_template_has_its_message() -> None:
    """The oneof has one field for each template, of its name, and none besides."""
    oneof = PostingTemplate.DESCRIPTOR.oneofs_by_name["template"]
    names = {field.name: field.message_type.name for field in oneof.fields}

    assert names == {template.name: template.facts.__name__ for template in PUBLISHED}


@pytest.mark.parametrize(
    ("table", "kind", "values"),
    [
        (template_messages.STAGES, PayoutStage, wire.PayoutReturned.Stage),
        (template_messages.EXCESSES, Excess, wire.SuspenseReleased.Excess),
    ],
)
def test_enums_are_mapped_whole(table: dict[StrEnum, int], kind: Any, values: Any) -> None:
    """Every value of either side has exactly one counterpart of the same name."""
    assert list(table) == list(kind)
    assert [values.Name(number) for number in table.values()] == list(kind)
    assert sorted(table.values()) == sorted(set(values.values()) - {0})


def captured(**changed: Any) -> PostingTemplate:
    """Write a capture that is right but for what is changed."""
    sample = SAMPLES[0]
    asked = written(sample.name, sample.facts)
    for name, value in changed.items():
        setattr(asked.captured, name, value)
    return asked


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (captured(amount="99.999"), "amount"),
        (captured(amount="0"), "amount"),
        (captured(amount="-1"), "amount"),
        (captured(amount="1e3"), "amount"),
        (captured(platform_fee=""), "platform_fee"),
        (captured(platform_fee="0.00"), "platform_fee"),
        (captured(currency="JPY"), "amount"),
    ],
)
def test_amounts_that_are_none_are_refused(asked: PostingTemplate, field: str) -> None:
    """INVALID_AMOUNT names the fact."""
    with pytest.raises(errors.InvalidAmount) as refusal:
        template_messages.posting(asked, reference="payment:pay_1:captured")

    assert refusal.value.metadata == {"field": field}


def test_a_share_that_is_no_amount_is_refused_by_its_place() -> None:
    """The path leads to the share."""
    asked = captured()
    asked.captured.shares.add(seller="seller_789", amount="x")

    with pytest.raises(errors.InvalidAmount) as refusal:
        template_messages.posting(asked, reference="payment:pay_1:captured")

    assert refusal.value.metadata == {"field": "shares[1].amount"}


def test_an_unknown_currency_is_refused() -> None:
    """UNKNOWN_CURRENCY, as with entries."""
    with pytest.raises(errors.UnknownCurrency):
        template_messages.posting(captured(currency="XXX"), reference="payment:pay_1:captured")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reference": "payment:pay_2:captured"}, "reference"),
        ({"reference": "order:pay_1:captured"}, "reference"),
        ({"description": "mine"}, "description"),
    ],
)
def test_a_template_names_and_describes_what_it_posts(changed: dict[str, str], field: str) -> None:
    """A caller cannot post a capture under another event's name, nor tell another story."""
    told: dict[str, Any] = {"reference": "payment:pay_1:captured", **changed}

    with pytest.raises(TemplateMismatch) as refusal:
        template_messages.posting(captured(), **told)

    assert refusal.value.metadata == {"template": "captured/1", "field": field}


@pytest.mark.parametrize("version", [2, 999])
def test_an_unknown_version_is_refused(version: int) -> None:
    """A newer rule than this service knows is not guessed."""
    asked = captured()
    asked.version = version

    with pytest.raises(TemplateMismatch) as refusal:
        template_messages.posting(asked, reference="payment:pay_1:captured")

    assert refusal.value.metadata["field"] == "version"


def test_facts_are_checked_by_the_rule_too() -> None:
    """What the message cannot say about its fields together, the template refuses."""
    with pytest.raises(errors.Unbalanced):
        template_messages.posting(captured(amount="100.00"), reference="payment:pay_1:captured")
