"""The pages on the chart, the templates and the money are what the code does."""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.ledger_svc import money_page, template_pages
from tests.unit.ledger_svc.template_pages import picture
from tests.unit.ledger_svc.template_samples import SAMPLES, Sample

PAGES = {template_pages.PAGE: template_pages.render, money_page.PAGE: money_page.render}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_is_what_the_code_makes(page: Path) -> None:
    """Each figure is computed; UPDATE_PAGES=1 writes the page."""
    text = PAGES[page]()
    if os.environ.get("UPDATE_PAGES"):
        page.write_text(text)

    assert page.read_text() == text, "run: UPDATE_PAGES=1 pytest " + str(Path(__file__).name)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.key)
def test_a_picture_shows_every_line_once(sample: Sample) -> None:
    """Each amount is on its side of its account's stem, and nothing is drawn besides."""
    posting = sample.expand()
    drawn = picture(posting.lines)
    names = {line.account_id for line in posting.lines}

    assert all(drawn.count(name) == 1 for name in names)
    assert drawn.count("┬") == len(names)
    shown = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", re.sub(r"\S+:\S+", "", drawn))
    assert sorted(shown) == sorted(str(line.amount) for line in posting.lines)
    assert max(map(len, drawn.splitlines())) <= 100


def test_prose_tells_the_figures_of_the_books() -> None:
    """Every amount in the story is one of the example's, or a balance that stands in its table."""
    sections = money_page.render().split("\n### ")[1:]

    assert sections
    for section in sections:
        told, table = section.split("\n\n", 2)[1:]
        stories = [told, *re.findall(r"^[A-Z].*", table.partition("## ")[0], re.M)]
        amounts = {a for story in stories for a in re.findall(r"\d+\.\d\d(?!\d)", story)}
        example = {"30.00", "69.99", "15.00"}
        assert amounts <= set(re.findall(r"\d+\.\d\d", table)) | example


def test_rates_are_those_that_the_story_says() -> None:
    """2.9 % and 30 cents for Stripe, 5 % for the platform, of the payment and of the refund."""
    captured, fee, refund = (money_page.STEPS[place].facts for place in (0, 1, 6))
    cent = Decimal("0.01")

    stripes = captured.amount.amount * Decimal("0.029") + Decimal("0.30")
    platforms = [each.amount.amount * Decimal("0.05") for each in (captured, refund)]

    assert fee.amount.amount == stripes.quantize(cent)
    assert captured.platform_fee.amount == platforms[0].quantize(cent)
    assert refund.fee_returned.amount == platforms[1].quantize(cent)
