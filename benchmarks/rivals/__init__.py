"""Other ledgers under the ledger's own load; none of them is part of this repository."""
