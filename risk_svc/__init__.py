"""Decides whether a payment may go ahead."""
