"""What a frozen or closed wallet takes: the table of the README, row by row."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.wallet_svc.builders import NOW, OTHER, SELLER, operation, wallet, wallets
from tests.unit.wallet_svc.test_wallets import one
from wallet_svc.domain import errors
from wallet_svc.domain.decisions import decide
from wallet_svc.domain.operation import Kind, Reversal
from wallet_svc.domain.takes import require_takes
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.domain.wallets import Applied, Pot, Wallets

README = Path(__file__).resolve().parents[3] / "wallet_svc" / "README.md"
ROW = re.compile(r"^\| (?P<kinds>[A-Z_, ]+) \| (?P<frozen>yes|no) \| (?P<closed>yes|no) \|", re.M)

TABLE = [
    (Kind(kind), status, row[column] == "yes")
    for row in ROW.finditer(README.read_text())
    for kind in row["kinds"].split(", ")
    for status, column in ((WalletStatus.FROZEN, "frozen"), (WalletStatus.CLOSED, "closed"))
]


def test_the_table_has_every_kind_once() -> None:
    """A row per kind, or a few kinds in one."""
    kinds = [kind for kind, status, _ in TABLE if status is WalletStatus.FROZEN]

    assert sorted(kinds) == sorted(Kind)


@pytest.mark.parametrize(("kind", "status", "taken"), TABLE)
def test_a_wallet_takes_what_the_table_says(
    kind: Kind, status: WalletStatus, *, taken: bool
) -> None:
    """An open wallet takes all."""
    require_takes(wallet(), kind, "USD")
    refusal = {
        WalletStatus.FROZEN: errors.WalletFrozen,
        WalletStatus.CLOSED: errors.WalletClosed,
    }[status]

    if taken:
        require_takes(wallet(status=status), kind, "USD")
    else:
        with pytest.raises(refusal):
            require_takes(wallet(status=status), kind, "USD")


def test_another_currency_is_refused() -> None:
    """Whatever is done with it."""
    with pytest.raises(errors.CurrencyMismatch):
        require_takes(wallet(), Kind.CREDIT, "EUR")


def frozen_after_promises() -> Wallets:
    """Make a wallet that was frozen with money pending and two holds, one of which is due."""
    before = wallets(wallet(pending="10.00", available="20.00"), wallet(OTHER))
    decide(
        before,
        [
            operation("c:1", "1.00"),
            operation("h:1", "2.00", kind=Kind.HOLD),
            operation("h:2", "2.00", kind=Kind.HOLD, expires_at=NOW + timedelta(seconds=1)),
        ],
    )
    (changed, standing), *_ = before.changed
    frozen = wallet(
        status=WalletStatus.FROZEN,
        pending=str(standing.pending),
        available=str(standing.available),
        held=str(standing.held),
    )
    assert changed.wallet_id == SELLER
    return wallets(
        frozen,
        wallet(OTHER, available="9.00"),
        operations=tuple(before.applied),
        holds=tuple(before.holds.values()),
        pending={Pot(SELLER, "pay_1"): Decimal("1.00")},
        now=NOW + timedelta(seconds=2),
    )


def test_what_was_promised_before_a_freeze_is_kept() -> None:
    """Settlements and holds run to their ends, and what is taken back is taken back."""
    held = frozen_after_promises()

    outcomes = decide(
        held,
        [
            operation("s:1", "1.00", kind=Kind.SETTLE),
            operation("k:1", "1.00", kind=Kind.CAPTURE_HOLD, refers_to="h:1"),
            operation("l:1", "0", kind=Kind.RELEASE, refers_to="h:1"),
            operation("h:2:expiry", "0", kind=Kind.EXPIRE, refers_to="h:2"),
            Reversal("c:1"),
            operation("r:1", "1.00", kind=Kind.REFUND),
            operation("b:1", "1.00", kind=Kind.CHARGEBACK),
        ],
    )

    assert all(isinstance(outcome, Applied) for outcome in outcomes)


@pytest.mark.parametrize(
    ("giver", "taker"), [(SELLER, OTHER), (OTHER, SELLER)], ids=["gives", "takes"]
)
def test_a_frozen_wallet_is_no_end_of_a_transfer(giver: str, taker: str) -> None:
    """Neither half is applied."""
    held = frozen_after_promises()

    outcome = one(
        held, operation("t:1", "1.00", kind=Kind.TRANSFER, wallet_id=giver, refers_to=taker)
    )

    assert isinstance(outcome, errors.WalletFrozen)
    assert outcome.metadata == {"walletId": SELLER}
    assert held.applied == []
