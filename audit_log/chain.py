"""Seals: what the log held when, each behind the one before.

A seal covers the lines of all transactions from the horizon of the one before up to its own. It
names each line and keeps its digest, so that whatever is changed later has a name. Whoever keeps a
seal elsewhere can tell whether anything up to it was changed by whoever owns the database.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import islice

from audit_log.record import Line, micros

GENESIS = bytes(32)
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Seal:
    """A numbered seal, from 1 without a gap.

    Attributes:
        horizon: the first transaction that it does not cover.
        sequences: the lines that it covers, by transaction and sequence.
        digests: of these lines, in their order.
        previous: the hash of the seal before; `GENESIS` for the first.
    """

    number: int
    at: datetime
    horizon: int
    sequences: tuple[int, ...]
    digests: tuple[bytes, ...]
    previous: bytes
    hash: bytes

    def true_hash(self) -> bytes:
        """Hash what it says, behind the seal before."""
        head = f"{self.number},{micros(self.at)},{self.horizon},{len(self.sequences)};"
        named = ",".join(map(str, self.sequences))
        return sha256(
            self.previous + head.encode() + named.encode() + b";" + b"".join(self.digests)
        ).digest()


def make_seal(last: Seal | None, lines: Sequence[Line], horizon: int, at: datetime) -> Seal:
    """Seal lines behind the last seal; they are in order of transaction and sequence."""
    number = last.number + 1 if last else 1
    previous = last.hash if last else GENESIS
    sequences = tuple(line.sequence for line in lines)
    digests = tuple(line.digest() for line in lines)
    unsigned = Seal(number, at, horizon, sequences, digests, previous, b"")
    return Seal(number, at, horizon, sequences, digests, previous, unsigned.true_hash())


class Kind(StrEnum):
    """What can be wrong."""

    LINE_CHANGED = "LINE_CHANGED"
    LINE_MISSING = "LINE_MISSING"
    LINE_INSERTED = "LINE_INSERTED"
    SEAL_CHANGED = "SEAL_CHANGED"
    SEAL_MISSING = "SEAL_MISSING"
    SEAL_UNLIKE_KNOWN = "SEAL_UNLIKE_KNOWN"
    CHANGE_UNLOGGED = "CHANGE_UNLOGGED"


@dataclass(frozen=True, slots=True)
class Offence:
    """Something that is wrong; `subject` names a line by its sequence, a seal by its number, or
    an object that was changed.
    """

    kind: Kind
    subject: str
    message: str


class Chain:
    """Holds seals and their lines against each other, from the first seal on, one at a time.

    Args:
        known: hashes of seals that were kept elsewhere, by their number.
        is_whole: False where lines may be missing, since only some were asked for.
    """

    def __init__(self, known: dict[int, bytes] | None = None, *, is_whole: bool = True) -> None:
        self._known = dict(known or {})
        self._is_whole = is_whole
        self.number = 0
        self.horizon = 0
        self.hash = GENESIS
        self.line_count = 0

    def check(self, seal: Seal, lines: Iterable[Line]) -> Iterator[Offence]:
        """Check the next seal, and the lines from the last horizon up to its own."""
        for found in self.steps(seal, lines):
            yield from found

    def steps(self, seal: Seal, lines: Iterable[Line]) -> Iterator[Sequence[Offence]]:
        """Check as `check` does, 50 lines at a time; tell what each piece has wrong, or nothing."""
        yield list(self._check_seal(seal))
        found = {line.sequence: line for line in lines}
        named = zip(seal.sequences, seal.digests, strict=False)
        while piece := list(islice(named, _AT_ONCE)):
            yield [
                offence
                for sequence, digest in piece
                for offence in self._check_named(found.pop(sequence, None), sequence, digest, seal)
            ]
        yield [
            _line(Kind.LINE_INSERTED, sequence, f"seal {seal.number} does not name it")
            for sequence in found
        ]
        self.number, self.horizon, self.hash = seal.number, seal.horizon, seal.hash

    def check_open(self, line: Line) -> Iterator[Offence]:
        """Check a line that no seal covers yet: only that it is what it says."""
        self.line_count += 1
        if line.hash != line.record.hash:
            yield _line(Kind.LINE_CHANGED, line.sequence, "it is not what it was hashed as")
        if line.xid < self.horizon:
            yield _line(Kind.LINE_INSERTED, line.sequence, "it lies before the last seal")

    def end(self) -> Iterator[Offence]:
        """Tell which known seals were not there."""
        for number in sorted(self._known):
            yield _seal(Kind.SEAL_MISSING, number, "it is known elsewhere, and is not here")

    def _check_named(
        self, line: Line | None, sequence: int, digest: bytes, seal: Seal
    ) -> Iterator[Offence]:
        if line is not None:
            self.line_count += 1
            yield from _check_line(line, digest, seal)
        elif self._is_whole:
            yield _line(Kind.LINE_MISSING, sequence, f"seal {seal.number} names it")

    def _check_seal(self, seal: Seal) -> Iterator[Offence]:
        for number in range(self.number + 1, seal.number):
            self._known.pop(number, None)
            yield _seal(Kind.SEAL_MISSING, number, f"seal {seal.number} comes after it")
        told = self._known.pop(seal.number, seal.hash)
        if told != seal.hash:
            yield _seal(Kind.SEAL_UNLIKE_KNOWN, seal.number, "it is known with another hash")
        is_next = seal.number == self.number + 1
        if seal.hash != seal.true_hash() or len(seal.sequences) != len(seal.digests):
            yield _seal(Kind.SEAL_CHANGED, seal.number, "it is not what it was hashed as")
        elif is_next and (seal.previous != self.hash or seal.horizon <= self.horizon):
            yield _seal(Kind.SEAL_CHANGED, seal.number, "it does not stand behind the one before")


def _check_line(line: Line, digest: bytes, seal: Seal) -> Iterator[Offence]:
    if line.hash != line.record.hash:
        yield _line(Kind.LINE_CHANGED, line.sequence, "it is not what it was hashed as")
    elif line.digest() != digest:
        yield _line(Kind.LINE_CHANGED, line.sequence, f"it is not what seal {seal.number} covers")


def _line(kind: Kind, sequence: int, message: str) -> Offence:
    return Offence(kind, f"line {sequence}", message)


def _seal(kind: Kind, number: int, message: str) -> Offence:
    return Offence(kind, f"seal {number}", message)
