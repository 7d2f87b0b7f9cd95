"""What is true of wallets; pure."""
