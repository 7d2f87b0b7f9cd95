"""Applies operations, each once; what is linked, together or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wallet_svc.domain.errors import LinkedRefused, Refusal
from wallet_svc.domain.operation import NewOperation
from wallet_svc.domain.wallets import ReversalOutcome
from wallet_svc.ports import WalletWriter


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An operation that makes no sense, and why; it may be linked to the next one all the same."""

    operation_id: str
    is_linked: bool
    refusal: Refusal


Asked = NewOperation | Unreadable


async def apply_operations(
    writer: WalletWriter, asked: Sequence[Asked]
) -> Sequence[ReversalOutcome]:
    """Apply operations and answer each in order; what could not even be read stays refused, and so
    does what is linked with it.
    """
    refusals = dict(_refusals(asked))
    readable = [
        item
        for place, item in enumerate(asked)
        if place not in refusals and isinstance(item, NewOperation)
    ]
    answers = await writer.do(readable) if readable else []
    if not refusals:
        return answers
    following = iter(answers)
    return [refusals.get(place) or next(following) for place in range(len(asked))]


def _refusals(asked: Sequence[Asked]) -> Iterator[tuple[int, Refusal]]:
    if not any(isinstance(item, Unreadable) for item in asked):
        return
    chain: list[int] = []
    for place, item in enumerate(asked):
        chain.append(place)
        if item.is_linked:
            continue
        at_fault = [one for one in map(asked.__getitem__, chain) if isinstance(one, Unreadable)]
        for index in chain if at_fault else ():
            one = asked[index]
            companion = LinkedRefused(at_fault[0].operation_id)
            yield index, one.refusal if isinstance(one, Unreadable) else companion
        chain.clear()
