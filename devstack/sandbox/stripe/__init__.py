"""Stripe's face: PaymentIntents, Charges and Refunds as API v1 has them, form-encoded."""
