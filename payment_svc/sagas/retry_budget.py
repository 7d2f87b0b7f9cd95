"""How much may be asked again of one of our own services: a token bucket, as a pure value.

What is asked first brings a share of a token; what is asked again costs one. A trickle comes with
time. What was asked again and answered gives its token back and another, so that a service that has
come back is soon asked all that was put off.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    Command,
    CreditWallets,
    ExecuteCharge,
    RefundCharge,
    ReverseCredits,
    SettleCredits,
    VoidCharge,
)

_SECOND = timedelta(seconds=1)
_WAIT_MAX = timedelta(seconds=10)
PUT_OFF = "RETRY_BUDGET_SPENT"


def neighbour_of(command: Command) -> str:
    """Name the service that a command asks, of several the one that decides."""
    match command:
        case AssessPayment():
            return "risk_svc"
        case ExecuteCharge() | CaptureCharge() | VoidCharge() | RefundCharge():
            return "psp_gateway"
        case CreditWallets() | SettleCredits() | ReverseCredits():
            return "wallet_svc"
        case _:
            return "ledger_svc"


@dataclass(frozen=True, slots=True)
class Shares:
    """How much is too much.

    Attributes:
        of_first: tokens that each first call brings, a fifth at most.
        per_s: tokens a second, whatever happens; above 0, so that each call is made again once.
        most: tokens that can be saved up; the bucket begins with them.
    """

    of_first: float = 0.1
    per_s: float = 0.5
    most: float = 10.0


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """The bucket as it stands since `since`; `tokens` is within 0 and `shares.most`.

    Attributes:
        put_off: calls that were put off since the last one that was allowed or answered: who comes
            after them waits as much longer.
    """

    shares: Shares
    since: datetime
    tokens: float
    put_off: int = 0

    @classmethod
    def full(cls, shares: Shares, now: datetime) -> "RetryBudget":
        """Make a full one."""
        return cls(shares, now, shares.most)

    def first(self, now: datetime) -> "RetryBudget":
        """Count a first call."""
        return self._with(self.shares.of_first, now)

    def again(self, now: datetime) -> "RetryBudget | timedelta":
        """Let a call be made again: the bucket as it then stands; or tell how long to wait."""
        filled = self._with(0.0, now)
        if filled.tokens >= 1.0:
            return replace(filled, tokens=filled.tokens - 1.0, put_off=max(self.put_off - 1, 0))
        missing = 1.0 - filled.tokens + self.put_off
        return min(_SECOND * (missing / self.shares.per_s), _WAIT_MAX)

    def turned_away(self) -> "RetryBudget":
        """Count a call that was put off."""
        return replace(self, put_off=self.put_off + 1)

    def answered(self, now: datetime) -> "RetryBudget":
        """Count that a call which was made again was answered."""
        return replace(self._with(2.0, now), put_off=0)

    def _with(self, more: float, now: datetime) -> "RetryBudget":
        grown = max(now - self.since, timedelta(0)) / _SECOND * self.shares.per_s
        tokens = min(self.tokens + grown + more, self.shares.most)
        return RetryBudget(self.shares, max(now, self.since), tokens, self.put_off)
