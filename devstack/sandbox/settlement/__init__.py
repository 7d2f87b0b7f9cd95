"""What the PSPs and the bank report of the sandbox's money, in files of their own formats."""
