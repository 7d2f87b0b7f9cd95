"""What can come of a step: five words, whatever was asked of whomever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Done:
    """It happened. `facts` are remembered by the saga."""

    facts: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no: it did not happen, and asking again changes nothing."""

    reason: str
    message: str
    psp_code: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """Trouble, not an answer: the same may be asked again.

    `from_psp`: the PSP itself said that nothing happened; only a few tries are made then. Otherwise
    it is our own services' trouble, which is waited out.
    """

    reason: str
    from_psp: bool = False
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody else must decide: the buyer, the PSP. `unknown`: money may have moved; `slow`: a
    bank decides, after days.
    """

    reason: str
    unknown: bool = False
    redirect_url: str | None = None
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    """It can never work as it is: a person must look."""

    reason: str


Outcome = Done | Refused | Again | Waiting | Stuck
