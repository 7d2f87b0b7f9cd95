"""The retry budgets of our own services, each instance for itself: what is asked again is counted,
and too much of it put off.
"""

from functools import cache

from chassis.clock import Clock
from payment_svc.metrics import NEIGHBOUR_CALLS
from payment_svc.sagas.commands import Command
from payment_svc.sagas.outcomes import Again, Outcome
from payment_svc.sagas.retry_budget import PUT_OFF, RetryBudget, Shares, neighbour_of

_calls = cache(NEIGHBOUR_CALLS.labels)  # as few as there are label sets


class RetryBudgets:
    """A budget per neighbour."""

    def __init__(self, clock: Clock, shares: Shares | None = None) -> None:
        self._clock = clock
        self._shares = shares or Shares()
        self._budgets: dict[str, RetryBudget] = {}

    def ask(self, command: Command, *, is_again: bool) -> Again | None:
        """Count a call that is about to be made; answer for it where it is to be put off."""
        name, now = neighbour_of(command), self._clock()
        budget = self._budgets.get(name) or RetryBudget.full(self._shares, now)
        if not is_again:
            self._budgets[name] = budget.first(now)
            _calls(name, "first").inc()
            return None
        allowed = budget.again(now)
        if isinstance(allowed, RetryBudget):
            self._budgets[name] = allowed
            _calls(name, "again").inc()
            return None
        self._budgets[name] = budget.turned_away()
        _calls(name, "put_off").inc()
        return Again(f"{PUT_OFF}: {name}", after=allowed, is_put_off=True)

    def heard(self, command: Command, outcome: Outcome, *, is_again: bool) -> None:
        """Take in what came of a call: any answer to one that was made again gives some back."""
        is_trouble = isinstance(outcome, Again) and not outcome.from_psp
        if is_again and not is_trouble:
            name = neighbour_of(command)
            self._budgets[name] = self._budgets[name].answered(self._clock())
