"""What can be done with the books: a file per RPC, named after it."""
