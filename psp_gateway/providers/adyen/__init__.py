"""Adyen."""
