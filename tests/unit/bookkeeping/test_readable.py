"""A batch with items that make no sense: the others are done, and each has its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bookkeeping.readable import Unreadable, do_readable, refuse_linked
from bookkeeping.refusals import InvalidAmount, Refusal


@dataclass(frozen=True, slots=True)
class Item:
    """An item that can be read."""

    name: str
    is_linked: bool


class Companion(Refusal):
    """It is linked with what cannot be read."""

    reason = "LINKED_REFUSED"

    def __init__(self, at_fault: str) -> None:
        super().__init__(f"Linked with {at_fault}.", atFault=at_fault)


class Doing:
    """Does whatever it is asked, and says what that was."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def do(self, items: Sequence[Item]) -> Sequence[str]:
        """Do them."""
        self.asked += [item.name for item in items]
        return [f"{item.name} done" for item in items]


@st.composite
def batches(draw: st.DrawFn) -> list[list[Item | Unreadable]]:
    """Draw a batch, chain by chain: all but the last of one are linked to the next."""
    chains: list[list[Item | Unreadable]] = []
    for number, length in enumerate(draw(st.lists(st.integers(1, 4), max_size=6))):
        chain: list[Item | Unreadable] = []
        for place in range(length):
            name, is_linked = f"{number}.{place}", place < length - 1
            if draw(st.booleans()):
                chain.append(Item(name, is_linked))
            else:
                chain.append(Unreadable(name, is_linked, InvalidAmount(name, "odd")))
        chains.append(chain)
    return chains


@given(batches())
async def test_a_chain_is_done_whole_or_not_at_all(chains: list[list[Item | Unreadable]]) -> None:
    """Each is answered in its place: done, why it makes no sense, or what it is linked with."""
    doing = Doing()
    asked = [item for chain in chains for item in chain]

    answers = list(await do_readable(refuse_linked(asked, Companion), doing.do))

    assert len(answers) == len(asked)
    for chain in chains:
        told, answers = answers[: len(chain)], answers[len(chain) :]
        at_fault = [item for item in chain if isinstance(item, Unreadable)]
        if not at_fault:
            assert told == [f"{item.name} done" for item in chain]
            continue
        assert not {item.name for item in chain} & set(doing.asked)
        for item, answer in zip(chain, told, strict=True):
            if isinstance(item, Unreadable):
                assert answer is item.refusal
            else:
                assert isinstance(answer, Companion)
                assert answer.metadata == {"atFault": at_fault[0].name}


async def test_nobody_is_asked_to_do_nothing() -> None:
    """Where nothing could be read."""
    doing, refusal = Doing(), InvalidAmount("amount", "odd")

    async def never(_: Sequence[Item]) -> Sequence[str]:
        raise AssertionError("was asked")

    assert await do_readable([refusal], never) == [refusal]
    assert await do_readable([], doing.do) == []
