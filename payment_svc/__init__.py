"""Takes payments in and coordinates their sagas over risk, PSP, wallets and ledger."""
