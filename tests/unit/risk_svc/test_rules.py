"""What the rules say, for any counts, limits and amounts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from risk_svc.domain.assessment import Decision, PaymentFacts, Subject, one_spelling
from risk_svc.rules.amount_limit import amount_limit
from risk_svc.rules.velocity import velocity
from risk_svc.use_cases.assess_payments import Limits, decide
from tests.builders import NOW

COUNTS = st.dictionaries(st.sampled_from(Subject), st.integers(1, 10_000))
LIMITS = st.fixed_dictionaries({subject: st.integers(0, 10_000) for subject in Subject})
CENTS = st.integers(1, 10**12).map(lambda cents: Decimal(cents).scaleb(-2))


@given(COUNTS, LIMITS)
def test_velocity_names_each_subject_over_its_limit(
    counts: dict[Subject, int], limits: dict[Subject, int]
) -> None:
    """The attempt at the limit passes, the one over it does not, and 0 is no limit."""
    hits = velocity(counts, limits)

    over = {s for s, count in counts.items() if limits[s] != 0 and count >= limits[s] + 1}
    assert {hit.rule for hit in hits} == {f"velocity_{subject.value}" for subject in over}
    assert {hit.reason for hit in hits} <= {"VELOCITY_EXCEEDED"}


@pytest.mark.parametrize(("count", "refused"), [(9, False), (10, False), (11, True)])
def test_velocity_at_its_edge(count: int, refused: bool) -> None:
    """Ten are allowed, the eleventh is not."""
    assert bool(velocity({Subject.BUYER: count}, {Subject.BUYER: 10})) is refused


@given(CENTS, CENTS, st.one_of(st.none(), CENTS, st.just(Decimal(0))))
def test_amount_is_held_against_its_currencys_limit_first(
    amount: Decimal, general: Decimal, own: Decimal | None
) -> None:
    """A currency's own limit replaces the general one, and 0 lifts it."""
    by_currency = {} if own is None else {"USD": own}

    hits = amount_limit(Money(amount, "USD"), general, by_currency)

    limit = general if own is None else own
    assert bool(hits) == (limit != 0 and amount > limit)


def test_amount_limit_says_what_the_limit_is() -> None:
    """The message is a plain sentence, also where the limit was written as 1E+5."""
    (hit,) = amount_limit(Money(Decimal("100000.01"), "USD"), Decimal("1E+5"), {})

    assert (hit.rule, hit.reason) == ("amount_limit", "AMOUNT_OVER_LIMIT")
    assert hit.message == "The amount is over the limit of 100000 USD."


@given(COUNTS, LIMITS, CENTS, CENTS)
def test_refused_means_that_a_rule_spoke(
    counts: dict[Subject, int], limits: dict[Subject, int], amount: Decimal, most: Decimal
) -> None:
    """An assessment is REFUSED exactly when it holds a rule hit."""
    facts = PaymentFacts("pay_1", "demo", Money(amount, "USD"), {})

    assessed = decide(facts, counts, Limits(limits, most, {}), NOW)

    assert (assessed.decision is Decision.REFUSED) == bool(assessed.rule_hits)
    assert (assessed.counts, assessed.assessed_at) == (counts, NOW)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_counted_however_it_is_spelled(address: str, counted: str) -> None:
    """Respelling an address makes no new one."""
    assert one_spelling(address) == counted
