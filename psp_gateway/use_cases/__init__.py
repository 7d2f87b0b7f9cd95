"""What can be done: a file per RPC, and the walk that they share."""
