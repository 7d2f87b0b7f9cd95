"""When a step is tried again: the schedules, as pure functions of what was tried."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a saga is.

    Attributes:
        psp_tries_max: tries when the PSP itself says that nothing happened; the last one counts as
            no, at least two.
        backoff_max: the longest pause between two tries.
        budget: how long a step may be in trouble before a person is asked.
        unknown_budget: how long an unknown outcome is looked up before a person is asked.
        action_budget: how long a buyer may take before a person is asked.
        debit_budget: how long banks may take over a debit before a person is asked: up to 14
            business days for SEPA, docs.stripe.com/payments/sepa-debit.
    """

    psp_tries_max: int = 3
    backoff_max: timedelta = timedelta(seconds=30)
    budget: timedelta = timedelta(hours=1)
    unknown_budget: timedelta = timedelta(hours=24)
    action_budget: timedelta = timedelta(hours=24)
    debit_budget: timedelta = timedelta(days=21)

    def backoff(self, tries: int, chance: float) -> timedelta:
        """Double from one second, with full jitter on the upper half; `chance` is in [0, 1)."""
        ceiling = min(2.0 ** min(tries - 1, 16), self.backoff_max.total_seconds())
        return timedelta(seconds=ceiling * (0.5 + chance / 2))

    def look_again(self, tries: int, chance: float, *, slow: bool = False) -> timedelta:
        """Look at an undecided charge after 1, 2, 4 … seconds, at most five minutes apart, or an
        hour where a bank decides; the PSP's webhooks tell sooner.
        """
        ceiling = min(2.0 ** min(tries - 1, 16), 3600.0 if slow else 300.0)
        return timedelta(seconds=ceiling * (0.75 + chance / 4))
