"""A plain model of wallets: cents in dicts, no batches, no history; slow and easily believed."""

from collections import defaultdict
from dataclasses import dataclass, field

from wallet_svc.domain.operation import Kind, NewOperation

TAKEN_BACK = {"REVERSAL", "REFUND", "CHARGEBACK"}
PROMISED = {"SETTLE", "CAPTURE_HOLD", "RELEASE", "EXPIRE"}


@dataclass
class Purse:
    """One wallet, in cents."""

    limit: int = 0
    status: str = "OPEN"
    pending: int = 0
    available: int = 0
    held: int = 0
    version: int = 1
    subjects: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Aside:
    """One hold, in cents."""

    purse: str
    subject: str
    open: int
    ends: int | None
    captured: int = 0
    released: int = 0
    status: str = "OPEN"


class Refused(Exception):
    """The model says no."""


class Model:
    """What wallets must do; `now` counts seconds."""

    def __init__(self, purses: dict[str, Purse]) -> None:
        self.purses = purses
        self.done: dict[str, tuple[object, ...]] = {}
        self.credits: dict[str, tuple[str, str, int]] = {}
        self.closed: set[str] = set()
        self.holds: dict[str, Aside] = {}
        self.now = 0
        self.came = 0
        self.left = 0

    def apply(self, asked: NewOperation, ends: int | None) -> str:
        """Apply one operation; answer the reason of a refusal, REPLAYED, or nothing."""
        content = (*asked[1:8], ends)
        if asked.operation_id in self.done:
            known = self.done[asked.operation_id]
            return "REPLAYED" if known == content else "OPERATION_REUSED"
        if asked.operation_id in self.closed:
            return "REVERSED_BEFORE_ARRIVAL"
        incoming = asked.operation_id + ":in"
        try:
            if asked.kind is Kind.TRANSFER and incoming in self.done:
                raise Refused("OPERATION_REUSED")
            if asked.kind is Kind.TRANSFER and incoming in self.closed:
                raise Refused("REVERSED_BEFORE_ARRIVAL")
            self._move(asked, ends)
        except Refused as refused:
            return str(refused)
        self.done[asked.operation_id] = content
        if asked.kind is Kind.TRANSFER:
            self.done[incoming] = ("the other half",)
        return ""

    def reverse(self, operation_id: str) -> str:
        """Reverse one operation; answer as `apply`, or CLOSED."""
        own = operation_id + ":reversal"
        if operation_id not in self.done:
            if operation_id.endswith((":reversal", ":expiry")):
                return "NOT_REVERSIBLE"
            self.closed.add(operation_id)
            return "CLOSED"
        if operation_id not in self.credits:
            return "NOT_REVERSIBLE"
        if own in self.done:
            return "REPLAYED" if self.done[own] == ("reversal",) else "OPERATION_REUSED"
        if own in self.closed:
            return "REVERSED_BEFORE_ARRIVAL"
        name, subject, cents = self.credits[operation_id]
        self._take_back(self.purses[name], subject, cents)
        self.done[own] = ("reversal",)
        return ""

    def expire(self) -> None:
        """Let go what had its time."""
        for name, hold in self.holds.items():
            if hold.status == "OPEN" and hold.ends is not None and hold.ends <= self.now:
                self._let_go(hold, "EXPIRED")
                self.done[name + ":expiry"] = ("expiry",)

    def change(self, name: str, status: str) -> str:
        """Freeze, unfreeze or close."""
        purse = self.purses[name]
        if status == purse.status:
            return ""
        if purse.status == "CLOSED":
            return "WALLET_CLOSED"
        if status == "CLOSED" and (purse.pending or purse.available or purse.held):
            return "WALLET_NOT_EMPTY"
        purse.status = status
        purse.version += 1
        return ""

    def _move(self, asked: NewOperation, ends: int | None) -> None:
        purse, cents, kind = self._taking(asked.wallet_id, asked.kind), _cents(asked), asked.kind
        if asked.expected_version not in (None, purse.version):
            raise Refused("VERSION_CONFLICT")
        if kind in (Kind.CAPTURE_HOLD, Kind.RELEASE):
            self._resolve(asked, cents)
            return
        if kind in (Kind.REFUND, Kind.CHARGEBACK):
            self._take_back(purse, asked.subject_id, cents)
            return
        if kind is Kind.CREDIT:
            purse.pending += cents
            purse.subjects[asked.subject_id] += cents
            self.credits[asked.operation_id] = (asked.wallet_id, asked.subject_id, cents)
            self.came += cents
        elif kind is Kind.SETTLE:
            if purse.pending < cents:
                raise Refused("INSUFFICIENT_FUNDS")
            purse.pending -= cents
            purse.available += cents
            purse.subjects[asked.subject_id] -= cents
        else:
            self._spend(purse, asked, cents, ends)
        purse.version += 1

    def _spend(self, purse: Purse, asked: NewOperation, cents: int, ends: int | None) -> None:
        if purse.available - cents < -purse.limit:
            raise Refused("INSUFFICIENT_FUNDS")
        if asked.kind is Kind.HOLD:
            if ends is not None and ends <= self.now:
                raise Refused("HOLD_EXPIRED")
            hold = Aside(asked.wallet_id, asked.subject_id, cents, ends)
            self.holds[asked.operation_id] = hold
            purse.held += cents
        elif asked.kind is Kind.TRANSFER:
            other = self._taking(asked.refers_to, Kind.TRANSFER_IN)
            other.available += cents
            other.version += 1
        else:
            self.left += cents
        purse.available -= cents

    def _resolve(self, asked: NewOperation, cents: int) -> None:
        hold = self.holds.get(asked.refers_to)
        if hold is None or hold.purse != asked.wallet_id:
            raise Refused("HOLD_NOT_FOUND")
        if hold.status != "OPEN":
            raise Refused("HOLD_RESOLVED")
        if asked.kind is Kind.RELEASE:
            self._let_go(hold, "RELEASED")
            return
        if hold.ends is not None and hold.ends <= self.now:
            raise Refused("HOLD_EXPIRED")
        if cents > hold.open:
            raise Refused("HOLD_EXCEEDED")
        hold.open -= cents
        hold.captured += cents
        self.purses[hold.purse].held -= cents
        self.left += cents
        if asked.releases_rest or not hold.open:
            self._let_go(hold, "CAPTURED")
        else:
            self.purses[hold.purse].version += 1

    def _let_go(self, hold: Aside, status: str) -> None:
        purse = self.purses[hold.purse]
        purse.held -= hold.open
        purse.available += hold.open
        purse.version += 1
        hold.released += hold.open
        hold.open = 0
        hold.status = status

    def _take_back(self, purse: Purse, subject: str, cents: int) -> None:
        unsettled = min(cents, max(purse.subjects[subject], 0), purse.pending)
        purse.pending -= unsettled
        purse.subjects[subject] -= unsettled
        purse.available -= cents - unsettled
        purse.version += 1
        self.left += cents

    def _taking(self, name: str, kind: Kind) -> Purse:
        if name not in self.purses:
            raise Refused("WALLET_NOT_FOUND")
        purse = self.purses[name]
        takes = {"FROZEN": TAKEN_BACK | PROMISED, "CLOSED": TAKEN_BACK}
        if purse.status != "OPEN" and kind.value not in takes[purse.status]:
            raise Refused("WALLET_" + purse.status)
        return purse


def _cents(asked: NewOperation) -> int:
    return int(asked.amount * 100)
