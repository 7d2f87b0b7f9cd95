"""Draws commands for the ledger's property tests: few names and references, so that they meet."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from chassis.money import Money, total
from ledger_svc.domain.account import AccountStatus, AccountType, Side
from ledger_svc.domain.posting import Action, Command, Line, Posting, Resolution, Reversal
from tests.unit.ledger_svc.builders import NOW, usd
from tests.unit.ledger_svc.model import Place

PLACES = {
    "cash": Place(AccountType.ASSET),
    "seller": Place(AccountType.LIABILITY),
    "fees": Place(AccountType.REVENUE),
    "frozen": Place(AccountType.ASSET, status=AccountStatus.FROZEN),
    "floored": Place(AccountType.LIABILITY, floor=usd("5.00").amount * -1),
    "capped": Place(AccountType.ASSET, ceiling=usd("15.00").amount),
}
NAMES = st.sampled_from((*PLACES, *("cash", "seller", "fees") * 5, "nobody"))
REFERENCES = st.sampled_from((*(f"r{n}" for n in range(1, 13)), "r1:reversal", "r2:resolution"))
Lines = tuple[Line, ...]
AMOUNTS = st.sampled_from(("0.01", "1.00", "4.00", "4.50", "10.00")).map(usd)
HOURS = (0, 1, 2, 3)
EXPIRIES = st.sampled_from((None, *(NOW + timedelta(hours=n) for n in HOURS)))


@st.composite
def balanced(draw: st.DrawFn) -> tuple[Line, ...]:
    """Draw balanced lines: one side in one line, the other in one to three."""
    amounts: list[Money] = draw(st.lists(AMOUNTS, min_size=1, max_size=3))
    side = draw(st.sampled_from(Side))
    lines = [Line(draw(NAMES), side.opposite, amount) for amount in amounts]
    return (Line(draw(NAMES), side, total(amounts, "USD")), *lines)


@st.composite
def postings(draw: st.DrawFn) -> Posting:
    """Draw a posting, pending or not."""
    is_pending = draw(st.booleans())
    return Posting(
        draw(REFERENCES),
        draw(balanced()),
        is_linked=draw(st.booleans()) and draw(st.booleans()),
        is_pending=is_pending,
        expires_at=draw(EXPIRIES) if is_pending else None,
    )


PARTS = st.one_of(
    st.just(()),
    st.builds(
        lambda debit, credit, amount: (
            Line(debit, Side.DEBIT, amount),
            Line(credit, Side.CREDIT, amount),
        ),
        NAMES,
        NAMES,
        AMOUNTS,
    ),
)


@st.composite
def reversals(
    draw: st.DrawFn,
    references: st.SearchStrategy[str] = REFERENCES,
    parts: st.SearchStrategy[Lines] = PARTS,
) -> Reversal:
    """Draw a reversal, in full or in part."""
    part = draw(parts)
    names = st.sampled_from(("back:1", "back:2", "back:3", "r1:reversal", "r3:reversal"))
    own = draw(names) if part else ""
    return Reversal(draw(references), "undo", part, own)


@st.composite
def resolutions(
    draw: st.DrawFn,
    references: st.SearchStrategy[str] = REFERENCES,
    parts: st.SearchStrategy[Lines] = PARTS,
) -> Resolution:
    """Draw an end of a pending transaction."""
    action = draw(st.sampled_from(Action))
    return Resolution(draw(references), action, draw(parts) if action is Action.POST else ())


def parts_of(lines: Lines) -> st.SearchStrategy[Lines]:
    """Draw nothing, all, or a part of two lines that a transaction may have."""
    debits = [line for line in lines if line.side is Side.DEBIT]
    credits_ = [line for line in lines if line.side is Side.CREDIT]
    part = st.builds(
        lambda debit, credit, amount: (
            debit._replace(amount=amount),
            credit._replace(amount=amount),
        ),
        st.sampled_from(debits),
        st.sampled_from(credits_),
        AMOUNTS,
    )
    return st.one_of(st.just(()), st.just(lines), part)


@st.composite
def batches(draw: st.DrawFn) -> list[Command]:
    """Draw one to six commands; the last is linked to nothing."""
    commands: list[Command] = draw(st.lists(_COMMANDS, max_size=5))
    last = draw(_COMMANDS)
    return [*commands, replace(last, is_linked=False) if isinstance(last, Posting) else last]


def _kind(number: int) -> st.SearchStrategy[Command]:
    """Choose what to draw: mostly postings, since an undo of nothing closes its reference."""
    return {0: resolutions(), 1: reversals()}.get(number, postings())


_COMMANDS: st.SearchStrategy[Command] = st.integers(0, 9).flatmap(_kind)
