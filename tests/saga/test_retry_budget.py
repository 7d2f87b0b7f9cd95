"""The retry budget of our own services: a dead one hears little more than what is asked first, one
that has come back is soon asked everything, and nothing fails by waiting.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from payment_svc.retry_budgets import RetryBudgets
from payment_svc.sagas import engine
from payment_svc.sagas.commands import CreditWallets
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Waiting
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry_budget import PUT_OFF, RetryBudget, Shares
from tests.builders import NOW, make_journey, make_payment

SECOND = timedelta(seconds=1)
CREDIT = CreditWallets(make_payment(), ())
AWAY = Again("CreditWallets: UNAVAILABLE")
MINUTE_S = 60


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


class Crowd:
    """Sagas that all ask the wallets for one thing; `is_alive` says whether they answer."""

    def __init__(self) -> None:
        self.clock, self.is_alive, self.asked = Clock(), False, 0
        self.budgets = RetryBudgets(self.clock)
        self.waiting: list[Journey] = []
        self.done = self.dead = 0

    def ask(self, journey: Journey) -> None:
        """Let a saga make its step."""
        is_again = journey.progress.is_in_trouble
        outcome: Outcome | None = self.budgets.ask(CREDIT, is_again=is_again)
        if outcome is None:
            self.asked += 1
            outcome = Done() if self.is_alive else AWAY
            self.budgets.heard(CREDIT, outcome, is_again=is_again)
        after = move(journey, outcome, at=self.clock.now - NOW)
        if isinstance(outcome, Done):
            self.done += 1
        elif after.progress.queue is Queue.DEAD_LETTER:
            self.dead += 1
        else:
            due = self.clock.now + after.progress.due_after
            self.waiting.append(after.with_progress(created_at=due))

    def second(self, new: int) -> None:
        """Let a second pass, in which so many begin and all that are due go on."""
        self.clock.now += SECOND
        due = [j for j in self.waiting if j.progress.created_at <= self.clock.now]
        self.waiting = [j for j in self.waiting if j.progress.created_at > self.clock.now]
        for journey in [*due, *(credited() for _ in range(new))]:
            self.ask(journey)


def move(journey: Journey, outcome: Outcome, *, at: timedelta = timedelta(0)) -> Journey:
    """Give a saga an outcome."""
    return engine.advance(
        PAY_IN,
        journey,
        outcome,
        started_at=NOW + at,
        now=NOW + at,
        chance=0.5,
        policy=RetryPolicy(),
    ).after


def credited() -> Journey:
    """Make a saga that is about to credit wallets."""
    charged = Done({"psp": "stripe", "psp_reference": "pi_1"})
    return move(move(make_journey(), Done()), charged)


def test_a_dead_neighbour_hears_little_more_than_what_is_asked_first() -> None:
    """In a steady state, over minutes: 1.2 calls for each saga at most."""
    crowd, per_s = Crowd(), 10
    for _ in range(MINUTE_S):
        crowd.second(per_s)  # the bucket begins full
    crowd.asked = 0
    for _ in range(5 * MINUTE_S):
        crowd.second(per_s)

    assert crowd.asked <= 1.2 * per_s * 5 * MINUTE_S
    assert crowd.asked > per_s * 5 * MINUTE_S
    assert crowd.dead == 0


def test_one_that_comes_back_is_soon_asked_all_that_was_put_off() -> None:
    """Each answer lets two more be asked: a thousand that wait are through within a minute."""
    crowd = Crowd()
    for _ in range(100):
        crowd.second(10)
    crowd.is_alive = True
    for _ in range(MINUTE_S):
        crowd.second(0)

    assert (crowd.done, crowd.waiting, crowd.dead) == (1000, [], 0)


def test_what_is_put_off_is_never_failed_by_it() -> None:
    """An hour and more of waiting counts as no try, and ends nothing; a try that is made does."""
    journey = move(credited(), AWAY)
    put_off = Again(f"{PUT_OFF}: wallet_svc", is_put_off=True)
    waited = move(journey, put_off, at=timedelta(hours=2))

    assert journey.progress.is_in_trouble
    assert (waited.progress.queue, waited.progress.tries) == (Queue.RETRY, journey.progress.tries)
    assert waited.progress.is_in_trouble
    assert move(waited, AWAY, at=timedelta(hours=2)).progress.queue is Queue.DEAD_LETTER


def test_only_our_own_trouble_is_made_again() -> None:
    """A look at what others decide is no retry, nor is what a PSP itself put off."""
    charging = move(make_journey(), Done())
    troubled = move(charging, Again("ExecuteCharge: UNAVAILABLE"))

    assert troubled.progress.is_in_trouble
    assert not move(troubled, Waiting("PSP_PENDING")).progress.is_in_trouble
    assert not move(charging, Again("PSP_RATE_LIMITED", from_psp=True)).progress.is_in_trouble
    assert not credited().progress.is_in_trouble


@settings(deadline=None)
@given(words=st.lists(st.sampled_from(["first", "again", "answered", "second"]), max_size=200))
def test_it_never_allows_more_than_its_share(words: list[str]) -> None:
    """Whatever comes in whatever order: retries stay within share, trickle, savings and answers."""
    shares = Shares(of_first=0.2, per_s=0.5, most=5.0)
    budget, now = RetryBudget.full(shares, NOW), NOW
    allowed = 0
    for word in words:
        match word:
            case "first":
                budget = budget.first(now)
            case "second":
                now += SECOND
            case "answered":
                budget = budget.answered(now)
            case "again":
                told = budget.again(now)
                if isinstance(told, RetryBudget):
                    budget, allowed = told, allowed + 1
                else:
                    assert timedelta(0) < told <= 10 * SECOND
                    budget = budget.turned_away()
        assert 0 <= budget.tokens <= shares.most
    seconds = words.count("second") * shares.per_s
    share = words.count("first") * shares.of_first
    assert allowed <= shares.most + seconds + share + 2 * words.count("answered") + 1e-6


def test_who_is_put_off_later_waits_longer() -> None:
    """They do not all come again at once."""
    budget = replace(RetryBudget.full(Shares(), NOW), tokens=0.0)
    first = budget.again(NOW)
    second = budget.turned_away().again(NOW)

    assert isinstance(first, timedelta)
    assert isinstance(second, timedelta)
    assert first < second
