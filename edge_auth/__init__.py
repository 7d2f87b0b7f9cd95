"""Knows who calls at the edge, and lets nothing malformed in."""
