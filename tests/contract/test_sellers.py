"""Sellers that are not opened on first use: an unknown one is refused by field, on real wallets."""

from collections.abc import AsyncIterator

import pytest
from paymesh.wallet.v1 import wallet_service_pb2 as service

from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import InvalidRequest
from chassis.money import Money
from payment_svc.domain.payment import Buyer, Payment
from payment_svc.ports import Accepted, Sellers
from payment_svc.sellers import AnySeller, GrpcSellers
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.create_payment import CreatePayment, NewOrder, create_payment
from privacy.masked import Secret
from tests.builders import make_asked, make_id
from tests.unit.wallet_svc.builders import WalletStub, served, wire_wallet

KNOWN = "seller:demo:known:USD"


@pytest.fixture
async def wallets(wallet_db: Database) -> AsyncIterator[WalletStub]:
    """Serve the wallets, one of them open."""
    async with served(wallet_db) as stub:
        wallet = wire_wallet(KNOWN, owner="known")
        await stub.OpenWallets(service.OpenWalletsRequest(wallets=[wallet]))
        yield stub


async def create(database: Database, sellers: Sellers, *names: str) -> Accepted:
    """Ask for a payment to these sellers."""
    orders = [NewOrder(name, Money.parse("1.00", "USD"), f"o-{name}") for name in names]
    command = CreatePayment(
        make_asked("CreatePayment"), "checkout", Buyer("b"), Secret("tok"), orders
    )
    return await create_payment(
        command, store=PostgresPaymentStore(database, utc_now), sellers=sellers, clock=utc_now,
        new_id=make_id, render=_rendered,
    )  # fmt: skip


def _rendered(payment: Payment) -> bytes:
    return payment.payment_id.encode()


async def test_unknown_seller_is_refused_by_field(
    wallets: WalletStub, payment_db: Database
) -> None:
    """The second order's seller has no wallet: nothing is stored, and the key is free."""
    sellers = GrpcSellers(wallets, 5.0)  # type: ignore[arg-type]

    with pytest.raises(InvalidRequest) as refused:
        await create(payment_db, sellers, "known", "unknown")

    violation = refused.value.violations[0]
    assert (violation.field, violation.reason) == (
        "payment_orders[1].seller_account",
        "UNKNOWN_SELLER",
    )
    assert await payment_db.read("SELECT 1 FROM payments") == []
    assert not (await create(payment_db, sellers, "known")).replayed


async def test_anybody_is_a_seller_where_first_use_opens(payment_db: Database) -> None:
    """With AUTO_OPEN_SELLERS nobody is asked."""
    assert not (await create(payment_db, AnySeller(), "whoever")).replayed
