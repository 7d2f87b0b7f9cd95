"""The payment router: which rule decides, how PSPs are drawn, what hinders them."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.attempt import Method
from psp_gateway.domain.routing import Asked, Obstacle, Route, Rule, Weighted, route
from psp_gateway.routing_file import DEFAULT, InvalidRouting, read_rules
from psp_gateway.use_cases.route_charge import PSPS, bare, psp_of

ALL = Rule("all", (Weighted("stripe", 70), Weighted("adyen", 30), Weighted("paypal", 0)))


def asked(number: int = 1, amount: str = "10.00", currency: str = "USD", **more: object) -> Asked:
    """Ask for a charge."""
    return Asked(f"att_{number}", Money.parse(amount, currency), **more)  # type: ignore[arg-type]


def free(psp: str) -> Obstacle | None:
    """Let nothing hinder a PSP."""
    return None


def test_the_first_rule_that_fits_decides() -> None:
    """Each condition must be met; a rule without any fits everything."""
    psps = (Weighted("adyen", 1),)
    rules = [
        Rule("wallets", psps, methods=frozenset({Method.WALLET})),
        Rule("swiss", psps, currencies=frozenset({"CHF"}), countries=frozenset({"CH"})),
        Rule("big", psps, currencies=frozenset({"USD"}), above=Decimal(1000)),
        Rule("small", psps, currencies=frozenset({"USD"}), up_to=Decimal(5)),
        Rule("shop", psps, clients=frozenset({"shop"})),
        ALL,
    ]
    chosen = [
        route(rules, each, free).rule
        for each in (
            asked(method=Method.WALLET),
            asked(currency="CHF", country="CH"),
            asked(currency="CHF", country="DE"),
            asked(amount="1000.01"),
            asked(amount="1000.00"),
            asked(amount="5.00"),
            asked(client_id="shop"),
        )
    ]

    assert chosen == ["wallets", "swiss", "all", "big", "all", "small", "shop"]
    assert route(rules[:1], asked(), free) == Route("")


def test_weights_share_the_charges() -> None:
    """Seven to three within the error of 4,000 draws; a fallback is always last."""
    routes = [route([ALL], asked(number), free).psps for number in range(4000)]
    first = Counter(psps[0] for psps in routes)

    assert first["paypal"] == 0
    assert abs(first["stripe"] / 4000 - 0.7) < 0.03
    assert {psps[2] for psps in routes} == {"paypal"}


def test_a_draw_comes_out_the_same() -> None:
    """Asked again, and after another PSP was hindered, the others keep their order."""
    for number in range(50):
        psps = route([ALL], asked(number), free).psps
        assert route([ALL], asked(number), free).psps == psps
        hindered = route(
            [ALL], asked(number), lambda psp: Obstacle("x") if psp == "adyen" else None
        )
        assert hindered.psps == tuple(psp for psp in psps if psp != "adyen")


def test_trouble_goes_last_and_obstacles_away() -> None:
    """A PSP in trouble may still be the only one that is left."""
    obstacles = {"stripe": Obstacle("circuit", passes=True), "adyen": Obstacle("no USD")}
    found = route([ALL], asked(), obstacles.get)

    assert found.psps == ("paypal", "stripe")
    assert found.reasons == {"stripe": "circuit", "adyen": "no USD"}


def test_a_preference_is_heard_where_the_rule_names_it() -> None:
    """A merchant may choose among a rule's PSPs, and not beyond them."""
    for number in range(20):
        assert route([ALL], asked(number, preferred_psp="adyen"), free).psps[0] == "adyen"
        unheard = route([ALL], asked(number, preferred_psp="bank"), free)
        assert unheard == route([ALL], asked(number), free)


def test_a_token_goes_where_it_is_known() -> None:
    """Whatever the rules say; its prefix is ours, and is taken off."""
    found = route([ALL], asked(token_psp="paypal"), free)

    assert (found.rule, found.psps) == ("token of paypal", ("paypal",))
    tokens = ["stripe:pm_1", "paypal:card:v1", "adyen:s:1", "pm_card_visa", "psp_card_x", "x:y"]
    assert [psp_of(token) for token in tokens] == ["stripe", "paypal", "adyen", "stripe", "", ""]
    assert [bare(token) for token in tokens] == [
        "pm_1",
        "card:v1",
        "s:1",
        "pm_card_visa",
        "psp_card_x",
        "x:y",
    ]


@given(st.text(max_size=30), st.sampled_from([psp.psp for psp in ALL.psps]))
def test_nobody_is_lost_or_invented(attempt_id: str, away: str) -> None:
    """A route holds each PSP of its rule once, but for those that are hindered."""
    one = Asked(attempt_id, Money.parse("1.00", "USD"))
    found = route([ALL], one, lambda psp: Obstacle("x") if psp == away else None)

    assert sorted([*found.psps, *found.hindered]) == sorted(one.psp for one in ALL.psps)


def test_the_rules_that_ship_can_be_read() -> None:
    """Everything is routed: the last rule has no condition."""
    rules = read_rules(DEFAULT, PSPS)

    last = rules[-1]
    assert last == Rule(last.name, (Weighted("stripe", 100),))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "must be a list of"),
        ("x = 1", "must be a list of"),
        ("[[rules]", "routing.toml"),
        ("[[rules]]\npsps = { stripe = 1 }", "rule 1: it has no name"),
        ('[[rules]]\nname = "a"', "rule 1, 'a': psps must name"),
        ('[[rules]]\nname = "a"\npsps = { square = 1 }', "there is no PSP 'square'"),
        ('[[rules]]\nname = "a"\npsps = { stripe = -1 }', "the weight of stripe"),
        ('[[rules]]\nname = "a"\npsps = { stripe = true }', "the weight of stripe"),
        ('[[rules]]\nname = "a"\npsps = { stripe = 0 }', "a weight above 0"),
        ('[[rules]]\nname = "a"\npsps = { stripe = 1 }\nwhen = 1', "unknown when"),
        ('[[rules]]\nname = "a"\npsps = { stripe = 1 }\nmethods = ["CASH"]', "method CASH"),
        ('[[rules]]\nname = "a"\npsps = { stripe = 1 }\ncurrencies = "USD"', "list of words"),
        ('[[rules]]\nname = "a"\npsps = { stripe = 1 }\nabove = "5"', "exactly one currency"),
        (
            '[[rules]]\nname = "a"\npsps = { stripe = 1 }\nabove = 5\ncurrencies = ["USD"]',
            "decimal string",
        ),
        (2 * '[[rules]]\nname = "a"\npsps = { stripe = 1 }\n', "the same name"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str, told: str) -> None:
    """The error says which rule, and what is wrong with it."""
    path = tmp_path / "routing.toml"
    path.write_text(content)

    with pytest.raises(InvalidRouting, match=told):
        read_rules(path, PSPS)
