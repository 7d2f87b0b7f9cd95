"""docs/reference/posting-templates.md: the chart and the templates, drawn from the code.

`UPDATE_PAGES=1 pytest tests/unit/ledger_svc/test_template_pages.py` writes the page; without it the
test fails when the page says anything else.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path

from ledger_svc.domain.account import Side
from ledger_svc.domain.chart import CHART
from ledger_svc.domain.posting import Line
from ledger_svc.domain.templates.catalogue import PUBLISHED
from tests.unit.ledger_svc.template_samples import SAMPLES, Sample

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "reference" / "posting-templates.md"

_PROTO = "../../protos/paymesh/ledger/v1/template.proto"
_GAP, _HALF_MIN, _LINE_MAX = " " * 4, 12, 100
_HEAD = """# Chart of accounts and posting templates

Drawn from [the chart](../../ledger_svc/domain/chart.py) and [the
templates](../../ledger_svc/domain/templates); do not edit it by hand. One payment on its way
through them: [following the money](../guides/following-the-money.md).

## The chart

An account's id says what it is; the last word is its currency. Assets and expenses grow by debits,
liabilities and revenue by credits. What *clears* should be zero again within the time given: what
stands there for longer is a fault that somebody has to explain. No entry may pass a *floor*.

| account | kind | type | clears within | floor | holds |
|---|---|---|---|---|---|
"""
_TEMPLATES = """
## The templates

A template turns what happened into entries, so that each event is booked by one rule, wherever it
is told. The rule's name and version are the transaction's `template`, `captured/1`; a
published version never changes, a changed rule is a new version beside it. Amounts are above zero,
the parts sum to their whole, and the transaction's reference is the one shown: anything else is
refused, and nothing is posted.

In the pictures each account is a T: debits left, credits right.
"""
_CHANGING = """
## To change a rule

Never edit a published version: what was posted by it may be asked for again, and must come out the
same. Write the new rule beside it with the next version, add it to
[the catalogue](../../ledger_svc/domain/templates/catalogue.py), give it an example and what draws
its facts among [the tests](../../tests/unit/ledger_svc/template_samples.py), and run
`UPDATE_PAGES=1 pytest tests/unit/ledger_svc`: it adds what the example makes to the golden file and
draws this page. Callers name the version that they mean, and move to the new one when they like.
"""


def render() -> str:
    """Write the page."""
    page = _HEAD
    for kind in CHART:
        pattern = kind.pattern.replace("{", "<").replace("}", ">")
        clears, floor = _days(kind.clears_within), "zero" if kind.has_zero_floor else ""
        page += f"| `{pattern}` | {kind.name} | {kind.type} | {clears} | {floor} | "
        page += f"{kind.meaning} |\n"
    page += _TEMPLATES
    for template in PUBLISHED:
        samples = [s for s in SAMPLES if (s.name, s.version) == (template.name, template.version)]
        page += f"\n### {template.tag}\n\n{wrapped(template.used)}\n"
        page += f"Its facts: message `{template.facts.__name__}` of [template.proto]({_PROTO}).\n"
        page += "".join(map(_example, samples))
    return page + _CHANGING


def wrapped(text: str) -> str:
    """Break a paragraph into lines as long as those of the code."""
    return textwrap.fill(text, _LINE_MAX, break_long_words=False, break_on_hyphens=False)


def _days(time: timedelta | None) -> str:
    return "" if time is None else f"{time.days} days"


def _example(sample: Sample) -> str:
    posting = sample.expand()
    title = f"{sample.title[0].upper()}{sample.title[1:]}"
    told = f'{title}: `{posting.reference}`, "{posting.description}"'
    return f"\n{told}\n\n```text\n{picture(posting.lines)}\n```\n"


@dataclass(frozen=True, slots=True)
class _Account:
    """One T."""

    title: str
    debits: Sequence[str]
    credits: Sequence[str]

    @property
    def half(self) -> int:
        """Columns that a half needs, for the title or the longest amount."""
        amounts = (len(amount) + 1 for amount in (*self.debits, *self.credits))
        return max(_HALF_MIN, len(self.title) // 2, *amounts)

    def rows(self, half: int) -> list[str]:
        """Draw it, `half` columns to each side."""
        rows = [f"{self.title:^{2 * half + 1}}", f"{'─' * half}┬{'─' * half}"]
        for debit, credit in zip_longest(self.debits, self.credits, fillvalue=""):
            rows.append(f"{debit + ' ':>{half}}│{credit + ' ':>{half}}")
        return rows


def picture(lines: Iterable[Line]) -> str:
    """Draw the accounts: those that are debited left, those that are only credited right."""
    accounts = _accounts(lines)
    half = max(account.half for account in accounts)
    left = [account.rows(half) for account in accounts if account.debits]
    right = [account.rows(half) for account in accounts if not account.debits]
    drawn = []
    for ones, others in zip_longest(left, right, fillvalue=()):
        for mine, theirs in zip_longest(ones, others, fillvalue=""):
            drawn.append(f"{mine:<{2 * half + 1}}{_GAP}{theirs}".rstrip())
        drawn.append("")
    return "\n".join(drawn).rstrip()


def _accounts(lines: Iterable[Line]) -> list[_Account]:
    booked: dict[str, Mapping[Side, list[str]]] = {}
    for line in lines:
        sides = booked.setdefault(line.account_id, {side: [] for side in Side})
        sides[line.side].append(str(line.amount))
    return [_Account(name, sides[Side.DEBIT], sides[Side.CREDIT]) for name, sides in booked.items()]
