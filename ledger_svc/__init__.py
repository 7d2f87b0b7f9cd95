"""Keeps the double-entry books, append-only."""
