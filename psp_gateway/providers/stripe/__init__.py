"""Stripe, on its own wire."""
