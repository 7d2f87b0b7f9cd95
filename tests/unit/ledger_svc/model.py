"""The ledger as plainly as it can be said: lists that are summed anew each time.

The Hypothesis machine and the tests on PostgreSQL hold the real one to it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from chassis.money import Money
from ledger_svc.domain.account import AccountStatus, AccountType, Side
from ledger_svc.domain.posting import Action, Command, Line, Posting, Resolution, Reversal

Lines = tuple[Line, ...]
_NOTHING = Money.zero("USD")


class No(Exception):
    """A refusal, by its reason."""


@dataclass
class Place:
    """An account, in dollars."""

    type: AccountType
    floor: Decimal | None = None
    ceiling: Decimal | None = None
    status: AccountStatus = AccountStatus.OPEN


@dataclass
class Kept:
    """A transaction."""

    kind: str
    lines: Lines
    expires_at: datetime | None = None
    reverses: str = ""
    resolves: str = ""

    @property
    def moves(self) -> bool:
        """Whether it moves value."""
        return self.kind in ("POSTED", "PENDING_POSTED")


@dataclass
class Model:
    """Everything that was ever done."""

    places: dict[str, Place]
    kept: dict[str, Kept] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def balance(self, name: str) -> Decimal:
        """Sum what moved."""
        return self._sum(name, (t.lines for t in self.kept.values() if t.moves))

    def pending(self, name: str, *, coming: bool) -> Decimal:
        """Sum what is pending in one direction."""
        ended = {t.resolves for t in self.kept.values()}
        open_ = (t.lines for r, t in self.kept.items() if t.kind == "PENDING" and r not in ended)
        return sum(
            (
                line.amount.amount
                for lines in open_
                for line in lines
                if line.account_id == name
                and (line.side is self.places[name].type.normal_side) is coming
            ),
            Decimal(0),
        )

    def batch(self, commands: Sequence[Command], now: datetime) -> list[str]:
        """Do commands and tell each one's end: a kind, `replayed`, `closed`, or a reason."""
        ends: list[str] = []
        chain: list[Command] = []
        for command in commands:
            chain.append(command)
            if not (isinstance(command, Posting) and command.is_linked):
                ends += self._chain(chain, now)
                chain = []
        return ends

    def _chain(self, chain: Sequence[Command], now: datetime) -> list[str]:
        before = deepcopy((self.kept, self.closed))
        ends = []
        for place, command in enumerate(chain):
            try:
                ends.append(self._do(command, now))
            except No as no:
                self.kept, self.closed = before
                return [str(no) if at == place else "LINKED_REFUSED" for at in range(len(chain))]
        return ends

    def _do(self, command: Command, now: datetime) -> str:
        match command:
            case Posting():
                return self._post(command, now)
            case Resolution():
                return self._resolve(command, now)
            case Reversal():
                return self._reverse(command)

    def _post(self, asked: Posting, now: datetime) -> str:
        kind = "PENDING" if asked.is_pending else "POSTED"
        known = self.kept.get(asked.reference)
        if known:
            same = Counter(known.lines) == Counter(asked.lines)
            is_pending = known.kind == "PENDING"
            if not same or is_pending != asked.is_pending or known.expires_at != asked.expires_at:
                raise No("REFERENCE_REUSED")
            return "replayed"
        self._require_not_closed(asked.reference)
        if asked.expires_at and asked.expires_at <= now:
            raise No("EXPIRED_BEFORE_ARRIVAL")
        made = Kept(kind, asked.lines, asked.expires_at)
        return self._keep(asked.reference, made, is_ending=False)

    def _resolve(self, asked: Resolution, now: datetime) -> str:
        pending = self.kept.get(asked.reference)
        own = asked.reference + ":resolution"
        if pending is None:
            if asked.action is not Action.VOID or _is_own(asked.reference):
                raise No("TRANSACTION_NOT_FOUND")
            self.closed.add(asked.reference)
            return "closed"
        if pending.kind != "PENDING":
            raise No("NOT_PENDING")
        lines = (asked.lines or pending.lines) if asked.action is Action.POST else ()
        kind = {"POST": "PENDING_POSTED", "VOID": "PENDING_VOIDED", "EXPIRE": "PENDING_EXPIRED"}
        known = self.kept.get(own)
        if known:
            if known.resolves != asked.reference:
                raise No("REFERENCE_REUSED")
            if known.kind != kind[asked.action] or Counter(known.lines) != Counter(lines):
                raise No("ALREADY_RESOLVED")
            return "replayed"
        self._require_not_closed(own)
        if asked.action is Action.POST and pending.expires_at and pending.expires_at <= now:
            raise No("ALREADY_RESOLVED")
        _require_part(lines, _sums(pending.lines))
        made = Kept(kind[asked.action], lines, resolves=asked.reference)
        return self._keep(own, made, is_ending=True)

    def _reverse(self, asked: Reversal) -> str:
        original = self.kept.get(asked.reference)
        own = asked.own_reference or asked.reference + ":reversal"
        if original is None:
            if asked.lines or _is_own(asked.reference):
                raise No("TRANSACTION_NOT_FOUND")
            self.closed.add(asked.reference)
            return "closed"
        if original.kind == "PENDING":
            raise No("STILL_PENDING")
        known, left = self.kept.get(own), self._left(asked.reference)
        rest = tuple(Line(*key, amount) for key, amount in left.items() if amount.amount)
        if known:
            part = asked.lines and _turned(asked.lines)
            same = Counter(known.lines) == Counter(part) if part else not rest
            if known.reverses != asked.reference or not same:
                raise No("REFERENCE_REUSED")
            return "replayed"
        self._require_not_closed(own)
        if not (asked.lines or rest):
            raise No("NOTHING_LEFT")
        _require_part(asked.lines, left)
        # What nobody has taken of comes back line by line.
        untouched = not any(t.reverses == asked.reference for t in self.kept.values())
        part = asked.lines or (original.lines if untouched else rest)
        made = Kept("POSTED", _turned(part), reverses=asked.reference)
        return self._keep(own, made, is_ending=True)

    def _left(self, reference: str) -> dict[tuple[str, Side], Money]:
        left = _sums(self.kept[reference].lines)
        for earlier in self.kept.values():
            if earlier.reverses == reference:
                for key, taken in _sums(_turned(earlier.lines)).items():
                    left[key] -= taken
        return left

    def _require_not_closed(self, reference: str) -> None:
        if reference in self.closed:
            raise No("REVERSED_BEFORE_ARRIVAL")

    def _keep(self, reference: str, made: Kept, *, is_ending: bool) -> str:
        """Add the lines one by one, so that each is held to the bounds as it comes."""
        whole, released = made.lines, made.resolves
        self.kept[reference] = Kept(made.kind, (), made.expires_at, made.reverses, released)
        for line in whole:
            self._require_takes(line.account_id, is_ending=is_ending)
            lines = (*self.kept[reference].lines, line)
            self.kept[reference] = Kept(
                made.kind, lines, made.expires_at, made.reverses, made.resolves
            )
            self._require_bounds(line.account_id)
        return made.kind

    def _require_takes(self, name: str, *, is_ending: bool) -> None:
        if name not in self.places:
            raise No("ACCOUNT_NOT_FOUND")
        status = self.places[name].status
        if status is AccountStatus.CLOSED:
            raise No("ACCOUNT_CLOSED")
        if status is AccountStatus.FROZEN and not is_ending:
            raise No("ACCOUNT_FROZEN")

    def _require_bounds(self, name: str) -> None:
        place, balance = self.places[name], self.balance(name)
        if place.floor is not None and balance - self.pending(name, coming=False) < place.floor:
            raise No("FLOOR_PASSED")
        if place.ceiling is not None and balance + self.pending(name, coming=True) > place.ceiling:
            raise No("CEILING_PASSED")

    def _sum(self, name: str, all_lines: Iterable[Lines]) -> Decimal:
        normal = self.places[name].type.normal_side
        return sum(
            (
                line.amount.amount if line.side is normal else -line.amount.amount
                for lines in all_lines
                for line in lines
                if line.account_id == name
            ),
            Decimal(0),
        )


def _is_own(reference: str) -> bool:
    return reference.endswith((":reversal", ":resolution"))


def _sums(lines: Lines) -> dict[tuple[str, Side], Money]:
    """Sum lines by account and side."""
    sums: dict[tuple[str, Side], Money] = {}
    for line in lines:
        key = line.account_id, line.side
        sums[key] = sums.get(key, _NOTHING) + line.amount
    return sums


def _require_part(part: Lines, left: dict[tuple[str, Side], Money]) -> None:
    for key, amount in _sums(part).items():
        if amount.amount > left.get(key, _NOTHING).amount:
            raise No("PART_TOO_LARGE")


def _turned(lines: Lines) -> Lines:
    return tuple(line.opposite for line in lines)
