"""What is true of credentials and of well-formed requests; pure."""
