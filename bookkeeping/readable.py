"""What is done of a batch of which some items make no sense: all else, and each has its answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bookkeeping.refusals import Refusal


class Linkable(Protocol):
    """An item of a batch that may be linked to the next one: done with it, or not at all."""

    @property
    def is_linked(self) -> bool:
        """Whether it is."""
        ...


Item = TypeVar("Item")
Link = TypeVar("Link", bound=Linkable)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that makes no sense, and why; it may be linked to the next one all the same.

    Attributes:
        name: the caller's own for it.
    """

    name: str
    is_linked: bool
    refusal: Refusal


async def do_readable(
    asked: Sequence[Item | Refusal], do: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
) -> Sequence[Answer | Refusal]:
    """Do what could be read and answer each in order; what could not be stays refused."""
    readable = [item for item in asked if not isinstance(item, Refusal)]
    if len(readable) == len(asked):
        return await do(readable)
    answers = iter(await do(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]


def refuse_linked(
    asked: Sequence[Link | Unreadable], companion: Callable[[str], Refusal]
) -> Sequence[Link | Refusal]:
    """Say of what cannot be read why it is refused, and of what is linked with it, as `companion`
    does by the name of the first that is at fault; the last item is linked to nothing.
    """
    readable = [item for item in asked if not isinstance(item, Unreadable)]
    if len(readable) == len(asked):
        return readable
    told: list[Link | Refusal] = []
    start = 0
    for end, item in enumerate(asked, 1):
        if item.is_linked:
            continue
        told += _refuse_chain(asked[start:end], companion)
        start = end
    return told


def _refuse_chain(
    chain: Sequence[Link | Unreadable], companion: Callable[[str], Refusal]
) -> list[Link | Refusal]:
    at_fault = next((item.name for item in chain if isinstance(item, Unreadable)), None)
    if at_fault is None:
        return [item for item in chain if not isinstance(item, Unreadable)]
    return [item.refusal if isinstance(item, Unreadable) else companion(at_fault) for item in chain]
