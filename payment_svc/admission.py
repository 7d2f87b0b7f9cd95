"""Whether this instance takes in another payment, by the last look at the queue."""

from datetime import timedelta

from chassis.telemetry import logger
from payment_svc.domain.backlog import Backlog, BacklogLimits, Gate
from payment_svc.metrics import QUEUE_CLOSED, QUEUE_DUE, QUEUE_OLDEST_S, TURNED_AWAY

_SECOND = timedelta(seconds=1)


class QueueAdmission:
    """`domain.backlog.Admission`; it asks nobody, so it costs a request nothing."""

    def __init__(self, limits: BacklogLimits) -> None:
        self._gate = Gate(limits)
        self._early = Gate(limits.early)

    def wait(self) -> timedelta | None:
        """See `domain.backlog.Admission.wait`."""
        if not self._gate.is_closed:
            return None
        TURNED_AWAY.inc()
        return self._gate.wait

    def early_wait(self) -> timedelta | None:
        """Tell after how long the edge may send on new payments again; None: it may now."""
        return self._early.wait if self._early.is_closed else None

    def saw(self, backlog: Backlog) -> None:
        """Take in how much waits."""
        before, self._gate = self._gate, self._gate.saw(backlog)
        self._early = self._early.saw(backlog)
        QUEUE_DUE.set(backlog.depth)
        QUEUE_OLDEST_S.set(backlog.oldest / _SECOND)
        QUEUE_CLOSED.set(self._gate.is_closed)
        if before.is_closed != self._gate.is_closed:
            word = "queue_closed" if self._gate.is_closed else "queue_open"
            logger().warning(word, depth=backlog.depth, oldest_s=backlog.oldest / _SECOND)
