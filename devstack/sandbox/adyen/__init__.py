"""Adyen's face: Checkout v71 and Transfers v4, written from the published descriptions."""
