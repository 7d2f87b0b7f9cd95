"""Hold an amount, then capture a part of it; without await."""

import os

from paymesh.client import BlockingPaymesh
from paymesh.payment.v1.payment_pb2 import BuyerInfo, CreditCardInfo, NewPaymentOrder, Payment
from paymesh.payment.v1.payment_service_pb2 import CreatePaymentRequest

order = NewPaymentOrder(seller_account="seller_456", amount="99.99", currency="USD")
order.payment_order_id = os.environ.get("ORDER_ID", "order_790")
request = CreatePaymentRequest(
    buyer_info=BuyerInfo(id="buyer_123"),
    checkout_id="checkout_abc",
    credit_card_info=CreditCardInfo(token="pm_card_visa"),
    payment_orders=[order],
    capture_method=Payment.MANUAL,
)
with BlockingPaymesh(os.environ["PAYMESH_TARGET"], api_key=os.environ["PAYMESH_KEY"]) as paymesh:
    held = paymesh.create_payment(request, wait_s=10)
    print(Payment.Status.Name(held.status), "until", held.capture_before.ToJsonString())
    payment = paymesh.capture_payment(held.payment_id, amount="60.00", wait_s=10)
    print(Payment.Status.Name(payment.status), payment.payment_orders[0].captured_amount)
