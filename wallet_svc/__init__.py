"""Knows what each party may spend: pending, available, held."""
