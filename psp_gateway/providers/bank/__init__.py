"""Banks, by ISO 20022 files."""
