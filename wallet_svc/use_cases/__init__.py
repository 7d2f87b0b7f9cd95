"""What can be done with wallets: a file per RPC, named after it."""
