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

    Attributes:
        from_psp: the PSP itself said that nothing happened; only a few tries are made then.
            Otherwise it is our own services' trouble, which is waited out.
        after: how long whoever is in trouble wants to be left alone.
        is_put_off: it was not even tried, because too much is being tried again there: it counts
            as no try.
    """

    reason: str
    from_psp: bool = False
    after: timedelta | None = None
    is_put_off: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody else must decide: the buyer, the PSP.

    Attributes:
        unknown: money may have moved.
        slow: a bank decides, after days.
        unheard: nobody has said anything yet, or anything new: what was known before still stands.
        after: when it is worth while to look again, by who knows the PSP; None: by our own
            schedule.
    """

    reason: str
    unknown: bool = False
    redirect_url: str | None = None
    slow: bool = False
    unheard: bool = False
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """It can never work as it is: a person must look."""

    reason: str


Outcome = Done | Refused | Again | Waiting | Stuck
