"""Watch the newest payment of a buyer until it is final, and list the buyer's payments."""

import asyncio
import os

from paymesh.client import Paymesh
from paymesh.payment.v1.payment_pb2 import Payment
from paymesh.payment.v1.payment_service_pb2 import ListPaymentsRequest


async def main() -> None:
    """Show what buyer_123 has paid."""
    async with Paymesh(os.environ["PAYMESH_TARGET"], api_key=os.environ["PAYMESH_KEY"]) as paymesh:
        bought = paymesh.list_payments(ListPaymentsRequest(buyer_id="buyer_123", page_size=20))
        newest = await anext(bought)
        async for payment in paymesh.watch(newest.payment_id):
            print(payment.payment_id, "is", Payment.Status.Name(payment.status))
        async for payment in bought:
            print(payment.payment_id, payment.amount, payment.currency)


asyncio.run(main())
