"""What a wallet holds at most, when it closes, and what chains leave behind."""

from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import pytest

from bookkeeping.readable import Unreadable
from tests.unit.wallet_svc.builders import NOW, OTHER, operation, wallet, wallets
from wallet_svc.domain import errors
from wallet_svc.domain.decisions import decide
from wallet_svc.domain.operation import Command, Kind
from wallet_svc.domain.wallet import Change, Standing, WalletStatus
from wallet_svc.domain.wallets import Applied, ReversalOutcome
from wallet_svc.ports import WalletWriter
from wallet_svc.use_cases.apply_operations import Asked, apply_operations

MOST = Decimal("999999999999999.99")
CENT, NOTHING = Decimal("0.01"), Decimal(0)


@pytest.mark.parametrize("balance", ["pending", "available", "held"])
def test_a_wallet_with_anything_in_it_is_not_closed(balance: str) -> None:
    """Whichever balance it is in; nor one that owes."""
    amounts = {balance: "0.01"}

    with pytest.raises(errors.WalletNotEmpty):
        wallet(**amounts).with_status(WalletStatus.CLOSED)
    with pytest.raises(errors.WalletNotEmpty):
        wallet(available="-0.01").with_status(WalletStatus.CLOSED)


def test_a_closed_wallet_gets_no_other_limit() -> None:
    """Its own may be set again, since that changes nothing."""
    closed = wallet(status=WalletStatus.CLOSED, credit_limit="5.00")

    assert closed.with_credit_limit(Decimal("5.00")) is closed
    with pytest.raises(errors.WalletClosed):
        closed.with_credit_limit(Decimal("6.00"))


@pytest.mark.parametrize(("place", "sign"), [(0, 1), (1, 1), (2, 1), (1, -1)])
def test_a_balance_holds_fifteen_digits(place: int, sign: int) -> None:
    """One cent more is refused in each balance; below zero only available can be."""
    balances, more = [NOTHING] * 3, [NOTHING] * 3
    balances[place], more[place] = sign * (MOST - CENT), sign * CENT
    full = Standing(*balances, 0, 1).after(Change(*more))

    assert full[place] == sign * MOST
    with pytest.raises(errors.InvalidAmount):
        full.after(Change(*more))


def test_a_transfer_whose_other_half_is_closed_is_refused() -> None:
    """Its id will never have an operation, so neither half is applied."""
    held = wallets(wallet(available="9.00"), wallet(OTHER), closed=("t:in",))

    (outcome,) = decide(held, [operation("t", "5.00", kind=Kind.TRANSFER, refers_to=OTHER)])

    assert isinstance(outcome, errors.ReversedBeforeArrival)
    assert held.applied == []


def test_a_chain_leaves_the_holds_it_moved_to_be_written() -> None:
    """As operations that are not linked do."""
    held = wallets(wallet(available="9.00"))
    chain = [
        operation("h", "5.00", kind=Kind.HOLD, linked=True),
        operation("k", "5.00", kind=Kind.CAPTURE_HOLD, refers_to="h"),
    ]

    outcomes = decide(held, chain)

    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    assert list(held.moved_holds) == ["h"]
    assert held.holds["h"].captured == Decimal("5.00")


class Doing:
    """Does whatever it is asked, on the seller's wallet."""

    async def do(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Do them."""
        return decide(wallets(now=NOW), commands)


async def test_what_could_not_be_read_takes_its_own_chain_along_alone() -> None:
    """What comes before the chain and after it is done."""
    bad = Unreadable("bad", is_linked=False, refusal=errors.InvalidAmount("amount", "odd"))
    asked: list[Asked] = [
        operation("before"), operation("with", linked=True), bad, operation("after"),
        operation("chain", linked=True), operation("end"),
    ]  # fmt: skip

    outcomes = await apply_operations(cast(WalletWriter, Doing()), asked)

    assert [type(outcome) for outcome in outcomes] == [
        Applied, errors.LinkedRefused, errors.InvalidAmount, Applied, Applied, Applied,
    ]  # fmt: skip
    assert isinstance(outcomes[1], errors.LinkedRefused)
    assert outcomes[1].metadata == {"operationId": "bad"}
