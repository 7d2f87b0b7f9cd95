"""PayPal's face: Orders v2, Payments v2 and Payouts v1, written from the published descriptions."""
