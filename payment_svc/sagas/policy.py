"""How patient sagas are, as pure functions of what was tried."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a saga is; the pauses themselves are the step's own (`retry`).

    Attributes:
        psp_tries_max: tries when the PSP itself says that nothing happened; the last one counts as
            no, at least two.
        asked_after_max: the longest wait that a PSP may ask for by Retry-After.
        own_pause_max: the longest pause that one of our own services may ask for; a longer one that
            the step itself names is kept.
        budget: how long a step may be in trouble before a person is asked.
        unknown_budget: how long an unknown outcome is looked up before a person is asked.
        look_again_max: the longest time between two looks that somebody else may ask for.
        action_budget: how long a buyer may take before a person is asked.
        debit_budget: how long banks may take over a debit before a person is asked: up to 14
            business days for SEPA, docs.stripe.com/payments/sepa-debit.
    """

    psp_tries_max: int = 3
    asked_after_max: timedelta = timedelta(minutes=5)
    own_pause_max: timedelta = timedelta(seconds=30)
    budget: timedelta = timedelta(hours=1)
    unknown_budget: timedelta = timedelta(hours=24)
    look_again_max: timedelta = timedelta(minutes=30)
    action_budget: timedelta = timedelta(hours=24)
    debit_budget: timedelta = timedelta(days=21)

    def due_after(self, pause: timedelta, asked: timedelta | None, *, from_psp: bool) -> timedelta:
        """Tell when to try again: as long as somebody asked for, and the step's own pause on top,
        so that all who were told the same do not come at once.
        """
        due = min(max(asked or timedelta(0), timedelta(0)), self.asked_after_max) + pause
        return due if from_psp else max(min(due, self.own_pause_max), pause)

    def look_again(
        self,
        tries: int,
        chance: float,
        after: timedelta | None = None,
        *,
        slow: bool = False,
    ) -> timedelta:
        """Look at an undecided charge after 1, 2, 4 … seconds, at most five minutes apart, or an
        hour where a bank decides; or `after` that, where somebody knows better. The last quarter is
        left to chance; the PSP's webhooks tell sooner.
        """
        ceiling = timedelta(seconds=min(2.0 ** min(tries - 1, 16), 3600.0 if slow else 300.0))
        if after is not None:
            ceiling = max(min(after, self.look_again_max), timedelta(seconds=1))
        return ceiling * (0.75 + chance / 4)
