"""Make one payment and wait until it is final."""

import asyncio
import os

from paymesh.client import Paymesh
from paymesh.payment.v1.payment_pb2 import BuyerInfo, CreditCardInfo, NewPaymentOrder, Payment
from paymesh.payment.v1.payment_service_pb2 import CreatePaymentRequest


async def main() -> None:
    """Pay 99.99 USD to seller_456."""
    order = NewPaymentOrder(seller_account="seller_456", amount="99.99", currency="USD")
    order.payment_order_id = os.environ.get("ORDER_ID", "order_789")
    request = CreatePaymentRequest(
        buyer_info=BuyerInfo(id="buyer_123", email="buyer@example.com"),
        checkout_id="checkout_abc",
        credit_card_info=CreditCardInfo(token="psp_card_token_xyz"),
        payment_orders=[order],
    )
    async with Paymesh(os.environ["PAYMESH_TARGET"], api_key=os.environ["PAYMESH_KEY"]) as paymesh:
        payment = await paymesh.create_payment(request, wait_s=10)
    print(payment.payment_id, Payment.Status.Name(payment.status))


asyncio.run(main())
