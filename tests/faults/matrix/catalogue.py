"""Every case: at which point which service dies, on which way of a payment, what the PSP does
meanwhile, and whether the service dies once more while it recovers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

_MOMENTS = ("before", "after", "recorded")


@dataclass(frozen=True, slots=True)
class Flow:
    """A way that a payment goes.

    Attributes:
        operation: what the PSP is asked for on it, by the sandbox's name.
        ends: the status that it ends with.
    """

    name: str
    operation: str
    ends: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the PSP does.

    Attributes:
        fault: what the sandbox is told, but for the operation; empty for none.
        token: what the buyer pays with.
        dark_s: for how long it hangs up on everything.
        may_fail: whether the payment may end FAILED instead, with nothing taken.
    """

    name: str
    fault: Mapping[str, object] | None = None
    token: str = "tok_visa"
    dark_s: float = 0.0
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A named place in a service that a flow passes.

    Attributes:
        nth: the passing that is meant, of those after the flow's own beginning.
        again: where the recovering service dies the second time, whichever comes first; none: the
            recovery passes no point.
        is_late: it comes only after the PSP said yes.
        is_apart: what the PSP does is nothing to it.
    """

    service: str
    name: str
    nth: int = 1
    again: Sequence[str] = ()
    is_late: bool = False
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the matrix."""

    flow: Flow
    point: Point
    behaviour: Behaviour
    crashes: int

    @property
    def name(self) -> str:
        """Name it, as `--case` takes it."""
        nth = f"@{self.point.nth}" if self.point.nth > 1 else ""
        where = f"{self.flow.name}:{self.point.name}{nth}"
        return f"{where}/{self.behaviour.name}/{self.crashes}"

    @property
    def plans(self) -> list[str]:
        """Write the FAULT_POINTS of each run of the service; those after the last are calm."""
        first = f"{self.point.name}=kill@{self.point.nth}"
        return [first, ",".join(f"{name}=kill" for name in self.point.again)][: self.crashes]


FLOWS = {
    flow.name: flow
    for flow in (
        Flow("pay_in", "confirm", "COMPLETED"),
        Flow("authorize", "confirm", "COMPLETED"),
        Flow("capture", "capture", "COMPLETED"),
        Flow("void", "cancel", "CANCELLED"),
        Flow("expire", "cancel", "CANCELLED"),
        Flow("refund", "refund", "FAILED"),
        Flow("page", "create_session", "COMPLETED"),
        Flow("quarantine", "confirm", "COMPLETED"),
        Flow("give_up", "confirm", "FAILED"),
        Flow("kept", "refund", "FAILED"),
        Flow("other_amount", "refund", "FAILED"),
    )
}
SUCCEED = Behaviour("succeed")
DECLINE = Behaviour("decline", token="pm_card_visa_chargeDeclined")
BEHAVIOURS = (
    SUCCEED,
    DECLINE,
    Behaviour("timeout_after", {"kind": "charge_then_timeout", "hold_s": 2}),
    Behaviour("error_after", {"kind": "error_after"}),
    Behaviour("error_before", {"kind": "error_before"}),
    Behaviour("rate_limit", {"kind": "rate_limit"}),
    Behaviour("malformed", {"kind": "malformed"}),
    Behaviour("slow", {"kind": "slow", "delay_ms": 250}),
    Behaviour("reset_after", {"kind": "connection_reset_after"}),
    Behaviour("dark", dark_s=0.7, may_fail=True),
)


def _saga(kind: str, steps: Sequence[str]) -> list[str]:
    return [f"{kind}.{step}.{moment}" for step, moment in product(steps, _MOMENTS)]


_PAY_IN = _saga("pay_in", ("assess", "charge", "credit", "post"))
_SETTLE = _saga("settle", ("settle",))
_AUTHORIZE = _saga("authorize", ("assess", "authorize"))
_CAPTURE = _saga("capture", ("hold", "capture", "credit", "post"))
_VOID = _saga("void", ("void",))
_EXPIRE = _saga("expire", ("take", "void"))
_GATEWAY = (
    "psp.created", "psp.confirmed", "psp.captured", "psp.voided", "psp.refunded", "psp.opened",
    "psp.outcome_stored", "psp.events_applied",
)  # fmt: skip
_LATE = ("credit", "post")


def _steps(points: Sequence[str], then: Sequence[str] = (), nth: int = 1) -> Iterator[Point]:
    """Make the points of a saga; the recovery passes the same one, or the next."""
    for place, name in enumerate(points):
        again = [name] if not name.endswith("recorded") else [*points[place + 1 :], *then]
        is_late = name.split(".")[1] in _LATE
        yield Point("payment_svc", name, nth, again, is_late, name.startswith("settle"))


def _gateway(*names: str) -> Iterator[Point]:
    """Make the points of an attempt, the last of them being the end of it."""
    for name in names:
        bare, _, nth = name.partition("@")
        is_end = name == names[-1]
        yield Point("psp_gateway", bare, int(nth or 1), () if is_end else _GATEWAY)


def _batches(service: str, *nths: int) -> Iterator[Point]:
    # The ledger writes most batches by one statement: it has no moment between that and COMMIT.
    last = "decided" if service == "ledger_svc" else "written"
    for nth, moment in product(nths, (last, "committed")):
        name = f"{service.removesuffix('_svc')}.batch.{moment}"
        yield Point(service, name, nth, [name], is_late=True)


def _apart(service: str, name: str, *again: str) -> Point:
    return Point(service, name, 1, again, is_apart=True)


_POINTS: dict[str, Sequence[Point]] = {
    "pay_in": (
        Point("payment_svc", "payment.accept.before", 1, ["payment.accept.before"]),
        Point("payment_svc", "payment.accept.committed", 1, ["payment.accept.committed"]),
        Point("risk_svc", "risk.batch.committed", 1, ["risk.batch.committed"]),
        *_steps(_PAY_IN, _SETTLE),
        *_steps(_SETTLE),
        *_gateway(
            "psp.attempt_stored", "psp.created", "psp.outcome_stored", "psp.confirmed",
            "psp.outcome_stored@2",
        ),
        *_batches("wallet_svc", 1, 2),
        *_batches("ledger_svc", 1),
        _apart("payment_svc", "events.published", "events.published"),
        _apart("payment_svc", "webhooks.claimed", "webhooks.claimed"),
        _apart("payment_svc", "webhooks.sent", "webhooks.sent"),
        _apart("payment_svc", "webhooks.recorded"),
        _apart("psp_gateway", "psp.events_claimed", "psp.events_claimed"),
        _apart("psp_gateway", "psp.events_applied", "psp.events_applied"),
    ),
    "authorize": (
        *_steps(_AUTHORIZE),
        *_gateway("psp.attempt_stored", "psp.confirmed", "psp.outcome_stored@2"),
    ),
    "capture": (
        *_steps(_CAPTURE, _SETTLE),
        *_gateway("psp.attempt_stored", "psp.captured", "psp.outcome_stored"),
        *_batches("wallet_svc", 1),
        *_batches("ledger_svc", 1),
    ),
    "void": (
        *_steps(_VOID),
        *_gateway("psp.attempt_stored", "psp.voided", "psp.outcome_stored"),
    ),
    "expire": (
        *_steps(_EXPIRE),
        *_gateway("psp.attempt_stored", "psp.voided", "psp.outcome_stored"),
    ),
    "refund": (
        *_steps(_saga("pay_in", ("post", "credit", "charge")), nth=2),
        *_gateway("psp.refunded", "psp.outcome_stored@3"),
        *_batches("wallet_svc", 2),
    ),
    "page": (
        *_steps(_saga("pay_in", ("charge",)), _saga("pay_in", _LATE)),
        *_gateway("psp.attempt_stored", "psp.opened", "psp.outcome_stored"),
        _apart("psp_gateway", "psp.events_claimed", "psp.events_claimed"),
        _apart("psp_gateway", "psp.events_applied", "psp.events_applied"),
    ),
}  # fmt: skip
_LATE_STEPS = ("open_case", "book_charge", "give_back", "book_refund")
_AT_CREDIT, _AT_KEPT = "pay_in.credit.before", "pay_in.book_kept"


def _late_success() -> Iterator[Point]:
    """Make the points of the saga that gives a late charge back; all that the PSP is asked is at
    one of its steps.
    """
    names = _saga("late_success", _LATE_STEPS)
    for name, following in zip(names, [*names[1:], ""], strict=True):
        again = [name] if not name.endswith("recorded") else [following]
        is_apart = ".give_back." not in name
        yield Point("payment_svc", name, 1, [n for n in again if n], is_apart=is_apart)


_POINTS_OF_PERSONS: dict[str, Sequence[Point]] = {
    # A saga that raises is laid before a person, and let go on once it is repaired.
    "quarantine": (
        _apart("payment_svc", "stumble.before", "stumble.before"),
        _apart("payment_svc", "stumble.recorded", "stumble.recorded"),
        _apart("payment_svc", "quarantine.written", "quarantine.written"),
        _apart("payment_svc", "quarantine.committed", "let_on.written"),
        _apart("payment_svc", "let_on.written", "let_on.written"),
        _apart("payment_svc", "let_on.committed", _AT_CREDIT),
    ),
    # Or it is given up, and all is undone.
    "give_up": (
        _apart("payment_svc", "quarantine.written", "proposal.written"),
        _apart("payment_svc", "quarantine.committed", "proposal.committed"),
        _apart("payment_svc", "proposal.written", "proposal.written"),
        _apart("payment_svc", "proposal.committed", "decision.written"),
        _apart("payment_svc", "decision.written", "decision.written"),
        _apart("payment_svc", "resolution.approved", "conclusion.written"),
        _apart("payment_svc", "conclusion.written", "conclusion.written"),
        _apart("payment_svc", "conclusion.committed", _AT_CREDIT),
    ),
    # A refund that cannot be made is given up, and what the PSP has is booked.
    "kept": (
        _apart("payment_svc", "resolution.approved", "conclusion.written"),
        _apart("payment_svc", "conclusion.written", "conclusion.written"),
        _apart("payment_svc", "conclusion.committed", f"{_AT_KEPT}.before"),
        *(_apart("payment_svc", f"{_AT_KEPT}.{at}", f"{_AT_KEPT}.{at}") for at in _MOMENTS[:2]),
        _apart("payment_svc", f"{_AT_KEPT}.recorded"),
        _apart("ledger_svc", "ledger.batch.decided", "ledger.batch.decided"),
        _apart("ledger_svc", "ledger.batch.committed", "ledger.batch.committed"),
    ),
    # A charge of another amount is given back by the word of two persons.
    "other_amount": (
        _apart("payment_svc", "resolution.approved", "resolution.told"),
        _apart("payment_svc", "resolution.told", "resolution.told"),
        _apart("payment_svc", "resolution.giving_back", "resolution.giving_back"),
        _apart("payment_svc", "conclusion.written", "conclusion.written"),
        _apart("payment_svc", "conclusion.committed"),
        _apart("psp_gateway", "psp.resolving", "psp.resolving"),
        _apart("psp_gateway", "psp.resolved", "psp.late_kept"),
        _apart("psp_gateway", "psp.late_kept", "psp.late_kept"),
        *_late_success(),
        Point("psp_gateway", "psp.refunded", 1, _GATEWAY),
    ),
}
# What a second crash meets beside good weather: the answers that leave most in doubt.
_TWICE = ("succeed", "timeout_after", "error_after", "reset_after")


def cases() -> list[Case]:
    """List the matrix."""
    found = []
    for name, points in (_POINTS | _POINTS_OF_PERSONS).items():
        for point, behaviour in product(points, BEHAVIOURS):
            if _makes_sense(FLOWS[name], point, behaviour):
                found.append(Case(FLOWS[name], point, behaviour, 1))
                if _dies_twice(point, behaviour):
                    found.append(Case(FLOWS[name], point, behaviour, 2))
    return found


def slice_of(matrix: Sequence[Case]) -> list[Case]:
    """Choose every point once, with each behaviour in its turn."""
    by_point: dict[tuple[str, str, int], list[Case]] = {}
    for case in matrix:
        by_point.setdefault((case.flow.name, case.point.name, case.point.nth), []).append(case)
    return [found[turn % len(found)] for turn, found in enumerate(by_point.values())]


def _dies_twice(point: Point, behaviour: Behaviour) -> bool:
    if point.service == "psp_gateway" and behaviour.name == "timeout_after":
        return False  # the PSP's webhook may end the attempt before the recovery does
    return bool(point.again) and behaviour.name in _TWICE


def _makes_sense(flow: Flow, point: Point, behaviour: Behaviour) -> bool:
    if behaviour is SUCCEED:
        return True
    if point.is_apart:
        return False
    if behaviour is DECLINE:
        return flow.operation == "confirm" and not point.is_late
    if point.is_late or point.name.endswith(".recorded"):  # what was in doubt is known by then
        return behaviour.name in _TWICE
    # Dark: a charge that the PSP could not take may fail before it gets that far.
    return not (behaviour.may_fail and point.is_late)
