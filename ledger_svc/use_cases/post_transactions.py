"""Posts transactions, each whole or not at all; what is linked, together or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import LinkedRefused, Refusal
from ledger_svc.domain.posting import Posting
from ledger_svc.ports import LedgerWriter


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A posting that makes no sense, and why; it may be linked to the next one all the same."""

    reference: str
    is_linked: bool
    refusal: Refusal


Asked = Posting | Unreadable


async def post_transactions(writer: LedgerWriter, asked: Sequence[Asked]) -> Sequence[Outcome]:
    """Post transactions and answer each in order; what could not even be read stays refused, and
    so does what is linked with it.
    """
    sensible = [item for item in asked if isinstance(item, Posting)]
    if len(sensible) == len(asked):
        return await writer.do(sensible)
    refusals = dict(_refusals(asked))
    readable = [
        item
        for place, item in enumerate(asked)
        if place not in refusals and isinstance(item, Posting)
    ]
    answers = iter(await writer.do(readable) if readable else ())
    return [refusals.get(place) or next(answers) for place in range(len(asked))]


def _refusals(asked: Sequence[Asked]) -> Iterator[tuple[int, Refusal]]:
    chain: list[int] = []
    for place, item in enumerate(asked):
        chain.append(place)
        if item.is_linked:
            continue
        at_fault = [asked[index] for index in chain if isinstance(asked[index], Unreadable)]
        for index in chain if at_fault else ():
            one = asked[index]
            companions = LinkedRefused(at_fault[0].reference)
            yield index, one.refusal if isinstance(one, Unreadable) else companions
        chain.clear()
