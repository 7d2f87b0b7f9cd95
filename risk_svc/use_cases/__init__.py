"""What can be asked of risk_svc; a file per RPC, pure."""
