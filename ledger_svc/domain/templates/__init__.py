"""Posting templates: what an event of a payment's life does to the books; pure."""
