"""The chart of accounts: names that mean one thing, and the same thing to everybody."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger_svc.domain import chart
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.chart import CHART, Kind, OutsideChart
from payment_svc.domain import books
from tests.unit.ledger_svc.template_facts import BUYERS, CURRENCIES, IDS, NAMES

_DRAWN = {
    **dict.fromkeys(("psp", "rail", "bank", "source"), NAMES),
    **dict.fromkeys(("client", "seller"), IDS),
    "buyer": BUYERS,
    "currency": CURRENCIES,
}
MAKERS = {
    chart.PSP_CLEARING: chart.clearing,
    chart.PSP_FEES: chart.psp_fees,
    chart.PSP_DISPUTED: chart.disputed,
    chart.SELLER_PAYABLE: chart.seller_payable,
    chart.BUYER: chart.buyer,
    chart.CHARGEBACK_RESERVE: chart.chargeback_reserve,
    chart.PLATFORM_REVENUE: chart.platform_revenue,
    chart.PLATFORM_LOSSES: chart.platform_losses,
    chart.PAYOUT_INITIATED: chart.payout_initiated,
    chart.PAYOUT_TRANSIT: chart.payout_transit,
    chart.FX_CLEARING: chart.fx_clearing,
    chart.FX_RESULT: chart.fx_result,
    chart.SUSPENSE: chart.suspense,
    chart.BANK: chart.bank,
}
# Words of the chart, so that drawn ids come near to two kinds at once.
_WORDS = [w for kind in CHART for w in re.sub(r"\{\w+\}", "", kind.pattern).split(":") if w]
_NEAR = st.lists(st.sampled_from([*_WORDS, "stripe", "demo", "a", "", "USD", "JPY", "XXX"]))


def parts_of(kind: Kind) -> list[str]:
    """List what a kind's ids are made of, in their order."""
    return re.findall(r"\{(\w+)\}", kind.pattern)


@st.composite
def kinds_and_parts(draw: st.DrawFn) -> tuple[Kind, dict[str, str]]:
    """Draw a kind and what an id of it is made of."""
    kind = draw(st.sampled_from(CHART))
    return kind, {name: draw(_DRAWN[name]) for name in parts_of(kind)}


@given(drawn=kinds_and_parts())
def test_what_is_made_is_read_again(drawn: tuple[Kind, dict[str, str]]) -> None:
    """An id is read as the kind and the parts that it was made of, whatever these are."""
    kind, parts = drawn

    account_id = MAKERS[kind](*parts.values())
    read = chart.parse(account_id)

    assert account_id == kind.account_id(**parts)
    assert read is not None
    assert (read.kind, dict(read.parts)) == (kind, parts)


@given(drawn=kinds_and_parts())
def test_ids_fit_the_ledger(drawn: tuple[Kind, dict[str, str]]) -> None:
    """Whatever the parts, the id is one that the ledger takes."""
    kind, parts = drawn

    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,200}", kind.account_id(**parts), re.ASCII)


@given(
    account_id=st.one_of(
        kinds_and_parts().map(lambda d: d[0].account_id(**d[1])),
        _NEAR.map(":".join),
        st.text(string.ascii_letters + ":_.-"),
    )
)
@example(account_id="buyer:psp:stripe:clearing:USD")
@example(account_id="seller:psp:clearing:USD")
@example(account_id="chargeback:reserve:reserve:USD")
def test_no_id_is_of_two_kinds(account_id: str) -> None:
    """At most one kind of the chart reads an id, and then it alone can have made it."""
    read = [(kind, kind.read(account_id)) for kind in CHART]
    matching = [(kind, parts) for kind, parts in read if parts is not None]

    assert len(matching) <= 1
    for kind, parts in matching:
        assert kind.account_id(**parts) == account_id


@given(psp=NAMES, client=IDS, seller=IDS, currency=CURRENCIES)
def test_names_are_those_in_use(psp: str, client: str, seller: str, currency: str) -> None:
    """The coordinator's names for clearing and payable accounts are the chart's."""
    assert chart.clearing(psp, currency) == books.clearing_account(psp, currency)
    assert chart.seller_payable(client, seller, currency) == books.seller_account(
        client, seller, currency
    )


@pytest.mark.parametrize(
    "account_id",
    [
        "",
        "psp:stripe:USD",
        "psp:stripe:clearing:XXX",
        "psp:stripe:clearing:usd",
        "psp:stripe:clearing:USD\n",
        "psp:Stripe:clearing:USD",
        "psp::clearing:USD",
        "seller:demo:a:b:USD",
        "fx:clearing:stripe:USD",
        "example:bank:USD",
        "bank:citizens:ΑΒΓ",
    ],
)
def test_what_the_chart_does_not_know_is_of_no_kind(account_id: str) -> None:
    """An id that no maker makes is read as none."""
    assert chart.parse(account_id) is None


@pytest.mark.parametrize(
    ("part", "make"),
    [
        ("psp", lambda: chart.clearing("Stripe", "USD")),
        ("psp", lambda: chart.clearing("a:b", "USD")),
        ("seller", lambda: chart.seller_payable("demo", "a:b", "USD")),
        ("client", lambda: chart.seller_payable("", "a", "USD")),
        ("buyer", lambda: chart.buyer("demo", "a" * 65, "USD")),
        ("currency", lambda: chart.fx_clearing("XXX")),
        ("currency", lambda: chart.fx_clearing("usd")),
        ("bank", lambda: chart.bank("bank\n", "USD")),
    ],
)
def test_parts_that_would_be_misread_are_refused(part: str, make: object) -> None:
    """What cannot stand in an id is refused by its name, not written."""
    assert callable(make)
    with pytest.raises(OutsideChart) as refusal:
        make()

    assert refusal.value.part == part


@given(drawn=kinds_and_parts())
def test_an_account_is_opened_by_its_id_alone(drawn: tuple[Kind, dict[str, str]]) -> None:
    """Type, currency and floor follow from the id."""
    kind, parts = drawn
    charted = chart.parse(kind.account_id(**parts))
    assert charted is not None

    opening = charted.opening()

    assert (opening.account_id, opening.type) == (charted.account_id, kind.type)
    assert opening.currency == charted.currency == parts["currency"]
    assert (opening.floor is not None) is kind.has_zero_floor
    assert opening.floor is None or not opening.floor.amount


def test_accounts_that_are_open_already_are_opened_alike() -> None:
    """What the coordinator opens has no floor, and the types it opens with."""
    known = {chart.PSP_CLEARING: AccountType.ASSET, chart.SELLER_PAYABLE: AccountType.LIABILITY}

    for kind, type_ in known.items():
        assert (kind.type, kind.has_zero_floor) == (type_, False)


def test_kinds_are_told_apart() -> None:
    """Names and patterns are unique, every kind has its maker, and each tells what it is for."""
    assert len({kind.name for kind in CHART}) == len({k.pattern for k in CHART}) == len(CHART)
    assert set(MAKERS) == set(CHART)
    for kind in CHART:
        assert kind.pattern.endswith(":{currency}")
        assert kind.meaning.endswith(".")


def test_what_earns_and_spends_need_not_clear() -> None:
    """Only assets and liabilities can be expected to return to zero."""
    clearing = {kind.type for kind in CHART if kind.clears_within is not None}

    assert clearing == {AccountType.ASSET, AccountType.LIABILITY}
