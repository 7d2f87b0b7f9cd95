"""What can be done with payments; a file per RPC, pure."""
