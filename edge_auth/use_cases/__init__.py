"""What can be asked of edge_auth; a file per RPC, pure."""
