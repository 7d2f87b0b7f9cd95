"""How the ledger and the wallets write their books: batches, one statement each, one ahead of the
other. It knows neither of them.
"""
